"""Files going out: saved whole or not at all, never live, each with its stamp.

Export takes plain tables and values and knows nothing of results: `csv_bytes`, `json_bytes` and the
workbooks make bytes, `save_files` puts them in a folder.
"""

from __future__ import annotations

from kc_model.export.forms import allocation_workbook
from kc_model.export.plain import csv_bytes, escape_formula, json_bytes, unescape_formula
from kc_model.export.projects import adjustment_workbook, assigned_workbook
from kc_model.export.registration import registration_workbook
from kc_model.export.report import RATIOS, report_workbook
from kc_model.export.saving import fingerprint, recover_folder, save_file, save_files
from kc_model.export.shown import shown_workbook
from kc_model.export.stamp import Stamp

__all__ = [
    "RATIOS",
    "Stamp",
    "adjustment_workbook",
    "allocation_workbook",
    "assigned_workbook",
    "csv_bytes",
    "escape_formula",
    "fingerprint",
    "json_bytes",
    "recover_folder",
    "registration_workbook",
    "report_workbook",
    "save_file",
    "save_files",
    "shown_workbook",
    "unescape_formula",
]
