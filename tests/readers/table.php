<?php
// Reads a table from the input in the two steps of Moodle's import (lib/csvlib.class.php: read, write anew, read again),
// or, with the argument "write", writes one from JSON rows as Moodle's exports do. Rows come out as JSON.

function rows($file): array {
    $rows = [];
    while (($row = fgetcsv($file, 0, ',', '"', '\\')) !== false) {
        $rows[] = $row;
    }
    return $rows;
}

function written(array $rows) {
    $file = tmpfile();
    foreach ($rows as $row) {
        fputcsv($file, $row, ',', '"', '\\');
    }
    rewind($file);
    return $file;
}

if (($argv[1] ?? '') === 'write') {
    echo stream_get_contents(written(json_decode(stream_get_contents(STDIN), true)));
} else {
    echo json_encode(rows(written(rows(STDIN))), JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
}
