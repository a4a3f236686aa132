// For the keyboard, on a whole desk: undo and redo wherever the cursor stands, but not in a text
// that is being written; and a cursor whose button has gone, or waits, is not lost.
function render({ model, el }) {
  const desk = () => el.closest(".kc-desk");
  const isSeen = (one) => Boolean(one?.isConnected && one.offsetParent);
  const isText = (one) => one.matches?.("textarea, [contenteditable=true], input:not([type=range], [type=checkbox])");
  el.style.width = el.style.height = "0";

  const press = (event) => {
    const at = event.target;
    const around = desk()?.closest(".kc-page") ?? desk();
    if (!isSeen(desk()) || isText(at) || !(around.contains(at) || at === document.body)) return;
    const key = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase();
    if (key === "y" || (key === "z" && event.shiftKey)) model.send({ step: 1 });
    else if (key === "z") model.send({ step: -1 });
    else return;
    event.preventDefault();
  };

  let last = null; // where the cursor stood
  let isWaiting = false; // for a button that cannot be pressed just now
  const look = () => {
    const here = document.activeElement;
    if (here !== document.body) {
      last = desk()?.contains(here) ? here : null;
      isWaiting = false;
    } else if (last && isSeen(desk())) {
      if (isSeen(last) && last.disabled) isWaiting = true;
      else if (isSeen(last) && !isWaiting) last = null; // the planner clicked beside it
      else (isSeen(last) ? last : desk().querySelector(".kc-undo:not(:disabled)"))?.focus();
    }
  };
  const timer = setInterval(look, 100);
  document.addEventListener("keydown", press);
  return () => (clearInterval(timer), document.removeEventListener("keydown", press));
}

export default { initialize, render };
