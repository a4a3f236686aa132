@echo off
rem Double click: opens the planner's page. Keep this window open while you work.
rem ASCII alone: what else it would say depends on the code page of the machine.
chcp 65001 >nul
rem pushd, for a network folder too; opened inside a zip file, the rest is not there.
pushd "%~dp0"
if errorlevel 1 goto away
if not exist start.py goto away
set "KC_PYTHON="
python --version >nul 2>nul
if not errorlevel 1 set "KC_PYTHON=python"
py -3 --version >nul 2>nul
if not errorlevel 1 set "KC_PYTHON=py -3"
if not defined KC_PYTHON goto missing
%KC_PYTHON% start.py app
if not "%errorlevel%"=="0" pause
exit /b

:missing
echo May nay chua co Python. Hay cai Python 3.11 tro len tu python.org,
echo khong can quyen quan tri, roi bam dup lai tep nay.
echo This machine has no Python. Install Python 3.11 or newer from python.org, then try again.
pause
exit /b 1

:away
echo Khong thay tep start.py o ben canh. Hay giai nen ca thu muc (Extract All), roi bam dup lai tep nay.
echo The file start.py is not beside this one. Extract the whole folder, then try again.
pause
exit /b 1
