set -e
cd "${HOME}/broken"
