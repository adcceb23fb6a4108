# A project on disk, its profile, the queue replayed first: docs/guides/dead-letter-queue.md
export HOME="$SITE/state"
mkdir -p "$HOME/.drt" "$HOME/project"
cp -r "$HERE/drt_project.yml" "$HERE/syncs" "$HOME/project"
mkdir -p "$HOME/project/syncs/models"
cp "$MODEL" "$HOME/project/syncs/models/orders.sql"
printf 'shop:\n  type: duckdb\n  database: %s\n' "$SITE/staged.duckdb" >"$HOME/.drt/profiles.yml"
export RATE=0
if [ "$QUOTA_LIMIT" != 0 ]; then RATE=$(awk "BEGIN {print $QUOTA_LIMIT / $QUOTA_SECONDS}"); fi
cd "$HOME/project"
retried=0
if [ -s .drt/dlq/orders.jsonl ]; then "$(dirname "$PYTHON")/drt" retry orders || retried=$?; fi
"$(dirname "$PYTHON")/drt" run || exit $?
exit $retried
