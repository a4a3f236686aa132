"""Make the synthetic dataset `data/sample-projects`: 42 projects of one province for 2026.

No project, unit or amount in it exists. Supports lie in the range of published averages: 151
million a machine (Vĩnh Phúc 2020), 102 a project (Bắc Giang 2011-2015), 56 to 225 (four projects of
Vĩnh Long 2022), 134 a local project (Khánh Hòa 2022), 300 a model, 38 a fair, 19 a design (Bắc Kạn
2014-2018). The province is Thái Nguyên in name only.

In ``september`` the same list nine months on: what was assigned, contracted, accepted and paid.

Run ``python data/sample-projects/generate.py [FOLDER]`` to write the tables into FOLDER (default:
this one). The draws are uniform numbers of a fixed seed and only the four operations are applied
to them, so the files are the same to the byte on every machine.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 20260101
YEAR = 2026
PLACE = "19"
MONTHS = (3, 6, 9, 12, 13)
PACE = {"KCDP": (0.06, 0.24, 0.48, 0.88, 0.93), "KCQG": (0.0, 0.1, 0.4, 0.82, 0.9)}
PLANS = {  # million VND a year, before what the year adds or takes
    "KCDP": {"TRAIN": 220, "MGMT": 160, "TECH": 2100, "PROD": 620, "CONS": 180, "INFO": 150},
    "KCQG": {"TECH": 1500, "PROD": 300},
}
PLANS["KCDP"] |= {"CLUS": 400, "ADMN": 55}
BUDGETS = {"KCQG": 1700, "KCDP": 3200}
UNITS = (
    "Trung tâm Khuyến công",
    "Phòng Kinh tế thành phố (mô phỏng)",
    "Phòng Kinh tế huyện (mô phỏng)",
)
MACHINES = (
    *("máy sấy chè", "máy phay CNC", "máy ép viên nén gỗ", "máy chế biến miến dong"),
    *(
        "máy dệt thổ cẩm",
        "máy đóng gói chè túi lọc",
        "máy cắt laser",
        "máy nghiền thức ăn chăn nuôi",
    ),
    *("lò nung gốm tiết kiệm năng lượng", "máy ép nhựa", "máy chiết rót tinh dầu", "máy xẻ gỗ"),
    *("máy sơn tĩnh điện", "máy sấy lạnh dược liệu", "máy dập linh kiện", "máy chế biến gạo"),
)


@dataclass(frozen=True)
class Sort:
    """A sort of project: how many, what it costs, what the law says of it."""

    count: int
    area: str
    source: str
    norm: str
    name: str
    result: str
    low: int  # support, million VND
    high: int
    share: float  # of the cost
    months: int
    quantity: int = 1


SORTS = (
    Sort(13, "TECH", "KCDP", "N04", "Hỗ trợ ứng dụng {}", "01 cơ sở ứng dụng máy", 70, 230, 0.4, 5),
    Sort(3, "TECH", "KCQG", "N04", "Nhóm cơ sở ứng dụng {}", "03 cơ sở", 450, 780, 0.45, 7, 3),
    Sort(2, "TECH", "KCQG", "N01", "Mô hình trình diễn {}", "01 mô hình", 280, 420, 0.24, 8),
    Sort(2, "TECH", "KCDP", "N03", "Sản xuất sạch hơn: {}", "01 mô hình", 120, 200, 0.2, 8),
    Sort(4, "PROD", "KCDP", "N09", "Tham gia hội chợ đợt {}", "10 gian hàng", 28, 60, 0.7, 2),
    Sort(3, "PROD", "KCDP", "N12", "Xây dựng nhãn hiệu: {}", "01 nhãn hiệu", 22, 34, 0.45, 6),
    Sort(1, "PROD", "KCQG", "N10", "Bình chọn sản phẩm tiêu biểu {}", "01 lần", 150, 190, 0.8, 6),
    Sort(3, "CONS", "KCDP", "N13", "Tư vấn thiết kế bao bì: {}", "01 bộ mẫu", 15, 30, 0.4, 4),
    Sort(3, "TRAIN", "KCDP", "", "Đào tạo nghề {}", "35 lao động", 60, 110, 0.9, 3),
    Sort(3, "MGMT", "KCDP", "", "Tập huấn quản lý {}", "40 học viên", 35, 60, 1.0, 2),
    Sort(2, "INFO", "KCDP", "", "Chuyên mục truyền hình quý {}", "12 chuyên mục", 40, 75, 1.0, 9),
    Sort(2, "CLUS", "KCDP", "N18", "Quy hoạch chi tiết cụm {}", "01 cụm", 260, 430, 0.45, 8),
    Sort(1, "ADMN", "KCDP", "", "Kiểm tra, giám sát đề án {}", "12 đợt kiểm tra", 38, 44, 1.0, 10),
)  # fmt: skip


def make_history(rng: np.random.Generator) -> pd.DataFrame:
    """Return four years by quarter; the settlement is month 13."""
    rows = []
    for year in range(YEAR - 4, YEAR):
        for source, areas in PLANS.items():
            for area, usual in areas.items():
                plan = int(usual * (0.85 + 0.3 * rng.random()))
                able, done = 0.85 + 0.2 * rng.random(), 0
                for month, pace in zip(MONTHS, PACE[source], strict=True):
                    reached = int(plan * min(1.0, pace * able * (0.9 + 0.2 * rng.random())))
                    done = max(done, reached)
                    status = "settled" if month == 13 else "reported"
                    rows.append((year, month, PLACE, area, source, plan, done, status))
    columns = ["year", "month", "place", "area", "source", "plan", "disbursed", "status"]
    return pd.DataFrame(rows, columns=columns)


def make_projects(rng: np.random.Generator) -> pd.DataFrame:
    """Return the projects as they are registered."""
    rows = []
    for sort in SORTS:
        for number in range(sort.count):
            support = sort.low + int((sort.high - sort.low) * rng.random())
            cost = max(support, int(support / sort.share * (0.9 + 0.4 * rng.random())))
            start = 2 + int(4 * rng.random())
            thing = MACHINES[len(rows) % len(MACHINES)] if sort.area == "TECH" else str(number + 1)
            firm = f"Cơ sở mô phỏng số {len(rows) + 1}" if sort.share < 0.6 else ""
            rows.append(
                {
                    "id": f"DA{len(rows) + 1:02}",
                    "name": sort.name.format(thing),
                    "place": PLACE,
                    "area": sort.area,
                    "source": sort.source,
                    "cost": cost,
                    "support": support,
                    "min_support": int(support * 0.7) if sort.quantity > 1 else "",
                    "score": 60 + int(36 * rng.random()),
                    "kind": "group" if sort.quantity > 1 else "normal",
                    "requires": "",
                    "excludes": "",
                    "unit": UNITS[int(3 * rng.random())],
                    "beneficiary": firm,
                    "objective": f"{sort.name.format(thing)} cho đối tượng thụ hưởng trong tỉnh",
                    "result": sort.result,
                    "start": f"{YEAR}-{start:02}-01",
                    "end": f"{YEAR}-{min(12, start + sort.months):02}-28",
                    "counterpart": cost - support,
                    "other": 0,
                    "stage": "registered",
                    "norm": sort.norm,
                    "quantity": sort.quantity if sort.norm else "",
                    "place_class": ("", "", "", "a", "c", "d")[int(6 * rng.random())],
                    "industry_class": ("", "", "b", "a")[int(4 * rng.random())],
                    "management": "0.02" if sort.quantity > 1 else "",
                }
            )
    return _add_cases(pd.DataFrame(rows))


def _add_cases(projects: pd.DataFrame) -> pd.DataFrame:
    """Add what a real list holds too: a flagship, links, a project above its cap, one over."""
    frame = projects.set_index("id")
    frame.loc["DA17", "kind"] = "flagship"
    frame.loc["DA17", "end"] = f"{YEAR + 1}-06-30"
    frame.loc["DA38", "requires"] = "DA32"  # the second television series after the training
    frame.loc["DA02", "excludes"] = "DA05"  # the same establishment twice
    frame.loc["DA09", ["support", "min_support", "cost", "counterpart"]] = [520, 480, 900, 380]
    frame.loc["DA09", ["place_class", "industry_class"]] = ["", ""]
    frame.loc["DA36", ["start", "end"]] = [f"{YEAR - 1}-03-01", f"{YEAR - 1}-11-30"]
    return frame.reset_index()


def make_september(rng: np.random.Generator, projects: pd.DataFrame) -> pd.DataFrame:
    """Return the projects nine months on: the plan in force took machines and clusters first."""
    frame = projects.assign(stage="registered", disbursed="").set_index("id")
    left = dict(BUDGETS)
    frame["is_slow"] = frame["area"].isin(("TECH", "CLUS"))
    order = frame.sort_values(["is_slow", "score", "name"], ascending=[False, False, True]).index
    for one in order:
        row = frame.loc[one]
        if one in ("DA05", "DA09", "DA36") or row["support"] > left[row["source"]]:
            continue
        left[row["source"]] -= row["support"]
        is_slow, luck = row["is_slow"], rng.random()
        stage = "contracted" if luck < 0.55 else "assigned" if is_slow or luck > 0.9 else "accepted"
        share = {"contracted": 0.0 if is_slow else 0.7, "assigned": 0.0, "accepted": 1.0}[stage]
        frame.loc[one, "stage"] = stage
        frame.loc[one, "disbursed"] = str(int(row["support"] * share) or "")
    frame.loc["DA24", ["stage", "disbursed"]] = ["stopped", "9"]  # a fair that was called off
    is_waiting = frame["stage"].isin(("registered", "assigned"))
    is_put_off = is_waiting & frame["end"].between(str(YEAR), f"{YEAR}-10")
    frame.loc[is_put_off, ["start", "end"]] = [f"{YEAR}-10-01", f"{YEAR}-12-28"]
    return frame.drop(columns="is_slow").reset_index()


def make_year(projects: pd.DataFrame) -> pd.DataFrame:
    """Return the three quarters of the year that the projects' stages and payments add up to."""
    in_force = projects[projects["stage"] != "registered"]
    paid = pd.to_numeric(in_force["disbursed"]).fillna(0).astype(int)
    plan = in_force["support"].where(in_force["stage"] != "stopped", paid)
    sums = in_force.assign(plan=plan, disbursed=paid).groupby(["source", "area"], sort=True)
    rows = []
    for month, pace in ((3, 0.1), (6, 0.45), (9, 1.0)):
        for (source, area), row in sums[["plan", "disbursed"]].sum().iterrows():
            done = int(row["disbursed"] * pace)
            rows.append((YEAR, month, PLACE, area, source, row["plan"], done, "reported"))
    columns = ["year", "month", "place", "area", "source", "plan", "disbursed", "status"]
    return pd.DataFrame(rows, columns=columns)


def write(folder: Path, **tables: pd.DataFrame) -> None:
    """Write tables into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", encoding="utf-8")


def generate(folder: Path) -> None:
    """Write ``history.csv`` and ``projects.csv`` into a folder, and those of September."""
    rng = np.random.default_rng(SEED)
    history = make_history(rng)
    projects = make_projects(rng)
    write(folder, history=history, projects=projects)
    later = make_september(rng, projects)
    year = make_year(later)
    write(folder / "september", history=pd.concat([history, year]), projects=later)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
