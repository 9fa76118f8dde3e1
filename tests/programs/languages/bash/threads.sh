work() {
    echo $(($1 * $1)) > "square.$1"
}
for number in 0 1 2 3; do
    work "$number" &
done
wait
sum=$(cat square.* | awk '{ sum += $1 } END { print sum }')
seq 4 | sort -r | head -n 1 | grep -q 4
echo "$sum"
