# The pipe of the Singer specification: the last state the target has passed on is the next bookmark.
cd "$SITE/state"
keep_state() { if [ -s states ]; then tail -n 1 states >bookmark; fi; }
keep_state
"$PYTHON" "$HERE/../tap.py" singer | "$PYTHON" "$HERE/program.py" --config ENV >>states
code=$?
keep_state
exit $code
