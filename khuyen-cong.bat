@echo off
rem Double click: opens the planner's page. Keep this window open while you work.
rem ASCII alone: what else it would say depends on the code page of the machine.
chcp 65001 >nul
cd /d "%~dp0"
set "KC_PYTHON="
where py >nul 2>nul && set "KC_PYTHON=py -3"
if not defined KC_PYTHON python --version >nul 2>nul && set "KC_PYTHON=python"
if not defined KC_PYTHON goto missing
%KC_PYTHON% start.py app
if errorlevel 1 pause
exit /b

:missing
echo May nay chua co Python. Hay cai Python 3.11 tro len tu python.org,
echo khong can quyen quan tri, roi bam dup lai tep nay.
echo This machine has no Python. Install Python 3.11 or newer from python.org, then try again.
pause
exit /b 1
