<?php
// PHP has no threads: processes, side by side.
$started = [];
for ($number = 0; $number < 4; $number++) {
    $command = [PHP_BINARY, '-r', "echo $number * $number;"];
    $process = proc_open($command, [1 => ['pipe', 'w']], $pipes);
    $started[] = [$process, $pipes[1]];
}
$sum = 0;
foreach ($started as [$process, $pipe]) {
    $sum += (int) stream_get_contents($pipe);
    fclose($pipe);
    proc_close($process);
}
echo $sum, "\n";
