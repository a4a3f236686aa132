// Stands before the code of every part. A part that took more than two seconds to come up hears
// nothing from Python any more (anywidget 0.11 gives it up for good): on a slow machine its messages
// are led past anywidget, and Python is asked for what was lost.
function initialize({ model }) {
  const lead = (part) => {
    const given = part._handle_comm_msg;
    let base = part;
    while (base._handle_comm_msg === given) base = Object.getPrototypeOf(base);
    // A message that says nothing tells whether anywidget still passes them on.
    given.call(part, { content: { data: {} } }).catch(() => {
      part.comm.on_msg((message) => base._handle_comm_msg.call(part, message));
      model.send({ again: true });
    });
  };
  model.on("change:kc_awake", lead); // gives the part itself, which anywidget keeps to itself
  model.set("kc_awake", true);
}

// What one part brings to the page and others wait for.
const shared = (name) => {
  const all = (globalThis.kcShared ??= {});
  if (!all[name]) {
    let bring;
    const brought = new Promise((resolve) => (bring = resolve));
    all[name] = { brought, bring, isBegun: false };
  }
  return all[name];
};
