<?php
// Answers questions on stdin (JSON: a list of [operation, argument…]) with Composer's own classes (JSON on stdout).
error_reporting(0);
ini_set('memory_limit', '1G');
require_once $argv[1] . '/Composer/autoload.php';

use Composer\MetadataMinifier\MetadataMinifier;
use Composer\Package\Loader\ArrayLoader;
use Composer\Package\Loader\ValidatingArrayLoader;
use Composer\Semver\Comparator;
use Composer\Semver\Constraint\Constraint;
use Composer\Semver\VersionParser;

$parser = new VersionParser();
$constraints = [];
$parse = function (string $text) use ($parser, &$constraints) {
    return $constraints[$text] ??= $parser->parseConstraints($text);
};

function document(string $json): array
{
    $document = json_decode($json, true);
    $inner = new class extends ArrayLoader {
        public $seen = null;
        public function load(array $config, string $class = 'Composer\Package\CompletePackage'): \Composer\Package\BasePackage
        {
            $this->seen = $config;
            return new \Composer\Package\CompletePackage('a/a', '1.0.0.0', '1.0.0');
        }
    };
    $loader = new ValidatingArrayLoader($inner);
    try {
        $loader->load($document);
    } catch (\Composer\Package\Loader\InvalidPackageException $e) {
        return ['errors' => $e->getErrors(), 'warnings' => $loader->getWarnings()];
    }
    return ['errors' => [], 'warnings' => $loader->getWarnings(), 'document' => $inner->seen];
}

$operations = [
    'normalize' => fn ($version) => $parser->normalize($version),
    'branch' => fn ($name) => $parser->normalizeBranch($name),
    'prefix' => fn ($name) => $parser->parseNumericAliasPrefix($name),
    'stability' => fn ($version) => VersionParser::parseStability($version),
    'constraint' => fn ($text) => [(string) $parse($text), $parse($text)->getPrettyString()],
    'allows' => fn ($text, $version) => $parse($text)->matches(new Constraint('==', $version)),
    'matches' => fn ($left, $right) => $parse($left)->matches($parse($right)),
    'version_compare' => fn ($left, $right) => version_compare($left, $right),
    'compare' => fn ($left, $sign, $right) => Comparator::compare($left, $sign, $right),
    'sort' => function ($versions) { usort($versions, 'version_compare'); return $versions; },
    'minify' => fn ($versions) => MetadataMinifier::minify($versions),
    'expand' => fn ($versions) => MetadataMinifier::expand($versions),
    'name' => fn ($name) => ValidatingArrayLoader::hasPackageNamingError($name),
    'document' => 'document',
    'glob' => fn ($glob, $paths) => array_values(preg_grep(\Symfony\Component\Finder\Glob::toRegex($glob), $paths)),
    'excluded' => function ($rule, $paths) {
        $filter = new \Composer\Package\Archiver\ComposerExcludeFilter('/', (array) $rule);
        return array_values(array_filter($paths, fn ($path) => $filter->filter('/' . $path, false)));
    },
    'array_merge_recursive' => fn ($left, $right) => array_merge_recursive($left, $right),
];
$answers = [];
foreach (json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR) as $question) {
    try {
        $answers[] = [$operations[array_shift($question)](...$question)];
    } catch (\Throwable $e) {
        $answers[] = $e->getMessage();
    }
}
echo json_encode($answers, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PRESERVE_ZERO_FRACTION);
