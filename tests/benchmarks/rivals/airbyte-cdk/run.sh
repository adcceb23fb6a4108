# What the platform does between two connectors: messages from one to the other, the last state kept.
export PYTHONUNBUFFERED=1  # a state that is still in a buffer when the process dies is lost
cd "$SITE/state"
keep_state() { if grep '"STATE"' messages >found 2>/dev/null; then tail -n 1 found >bookmark; fi; }
keep_state
"$PYTHON" "$HERE/../tap.py" airbyte |
  "$PYTHON" "$HERE/program.py" write --config "$HERE/config.json" --catalog "$HERE/catalog.json" >>messages
code=$?
keep_state
exit $code
