#!/opt/dormouse/sh
# Begins a task's container: `start.sh NODE PROGRAM`, in a shell of our own that needs nothing of the image. What an image has to have for
# the daemon to run at all is tried here. Without it nobody could tell the API, so the exit code does: core/unfit-image.ts has the words.

refuse() {
  echo "$2" >&2
  exit "$1"
}

said=$("$1" --version 2>&1) || refuse 81 "This image cannot run Node: $said"
/bin/sh -c : || refuse 82 "This image has no /bin/sh"
exec "$@"
