@echo off
rem Double click: opens the planner's page. Keep this window open while you work.
chcp 65001 >nul
cd /d "%~dp0"
where py >nul 2>nul && (py -3 start.py app) || (python start.py app)
if errorlevel 1 pause
