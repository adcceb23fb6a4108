# What the platform does: the target reads rows, not the tap's states; the target's own state is kept.
# The bookmark moves only when no record failed, which the summary tells and the exit code does not.
mkdir -p "$SITE/state/.secrets" "$SITE/state/job"
cd "$SITE/state/job"
rm -f states
"$PYTHON" "$HERE/../tap.py" singer | tee tapped | grep -v '^{"type": "STATE"' |
  "$PYTHON" "$HERE/program.py" --config "$HERE/config.json" >states
code=$?
if [ $code = 0 ] && [ -s states ]; then
  tail -n 1 states >../.secrets/incremental_target_state.json
  if ! tail -n 1 states | grep -q '"fail": [1-9]'; then
    grep '^{"type": "STATE"' tapped | tail -n 1 | sed 's/.*"value": \(.*\)}$/\1/' >../new
    if [ -s ../new ]; then mv ../new ../bookmark; fi
  fi
fi
rm -f tapped
exit $code
