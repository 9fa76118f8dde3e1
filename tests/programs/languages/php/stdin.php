<?php
while (($line = fgets(STDIN)) !== false) {
    echo "hello ", trim($line), "\n";
}
