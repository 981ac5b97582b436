#!/bin/sh
# Scores what has come in. A line of crontab, for a run at 2:15 every night:
#
#     15 2 * * * /srv/scoring/nightly.sh /srv/scoring
#
# The directory holds model.npz, incoming/, scores/ and, if it is there, venv/ with gaussmix. When all
# is well nothing is printed, and so cron mails nothing.
cd "$1" || exit 2
PATH=$PWD/venv/bin:$PATH
exec flock --no-fork --nonblock --conflict-exit-code 75 scores.lock \
  gaussmix score model.npz incoming/ -o scores/ --keep id --keep-going --quiet
