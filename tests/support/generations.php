<?php
// What newer Composers, as Debian packages them, expect of a newer PHP than the installed one.
if (!function_exists('array_find')) {
    function array_find(array $array, callable $callback): mixed
    {
        foreach ($array as $key => $value) {
            if ($callback($value, $key)) {
                return $value;
            }
        }
        return null;
    }
}
if (!function_exists('array_any')) {
    function array_any(array $array, callable $callback): bool
    {
        foreach ($array as $key => $value) {
            if ($callback($value, $key)) {
                return true;
            }
        }
        return false;
    }
}
if (!function_exists('array_all')) {
    function array_all(array $array, callable $callback): bool
    {
        return !array_any($array, static fn ($value, $key): bool => !$callback($value, $key));
    }
}
