exec "$PYTHON" "$HERE/program.py"
