while read -r line; do
    echo "hello $line"
done
