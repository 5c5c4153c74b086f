import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzCases } from '../support/long.ts'
import { FUNCTIONS, type Value } from './functions.ts'
import { readTemplates, renderTemplates } from './render.ts'
import { TemplateError } from './syntax.ts'

const ROOT: Value = {
  Values: {
    name: 'gw',
    port: 80,
    big: 1_000_000,
    on: true,
    off: false,
    none: '',
    list: ['a', 'b'],
    map: { b: '2', a: '1' },
  },
}
const rendered = (source: string): string =>
  renderTemplates(readTemplates(new Map([['a.yaml', source]])), ROOT).get('a.yaml')!

const EXAMPLES: readonly (readonly [source: string, text: string])[] = [
  ['a {{ .Values.name }} b', 'a gw b'],
  ['a\n  {{- .Values.port }}  \n', 'agw'.replace('gw', '80  \n')],
  ['a {{ .Values.name -}} \n b', 'a gwb'],
  ['a\n{{- /* a }} comment */ -}}\nb', 'ab'],
  ['a{{/* a comment */}}\nb', 'a\nb'],
  ['{{ if .Values.none }}x{{ else if .Values.off }}y{{ else }}z{{ end }}', 'z'],
  ['{{ if and .Values.on .Values.name }}x{{ end }}{{ if or .Values.off .Values.none }}y{{ end }}', 'x'],
  ['{{ or .Values.none .Values.name }}{{ and .Values.on .Values.port }}', 'gw80'],
  ['{{ with .Values.map }}{{ .a }}{{ $.Values.name }}{{ end }}', '1gw'],
  ['{{ with .Values.missing }}x{{ else }}{{ .Values.name }}{{ end }}', 'gw'],
  ['{{ range .Values.list }}{{ . }},{{ end }}', 'a,b,'],
  ['{{ range $value := .Values.list }}{{ $value }}{{ . }}{{ end }}', 'aabb'],
  ['{{ range $key, $value := .Values.map }}{{ $key }}={{ $value }} {{ end }}', 'a=1 b=2 '],
  ['{{ range $at, $value := .Values.list }}{{ $at }}{{ $value }}{{ end }}', '0a1b'],
  ['{{ range .Values.missing }}x{{ else }}none{{ end }}', 'none'],
  ['{{ define "t" }}<{{ .a }}>{{ end }}{{ include "t" .Values.map | quote }}', '"<1>"'],
  ['x:{{ toYaml .Values.map | nindent 2 }}', 'x:\n  a: "1"\n  b: "2"'],
  ['{{ default "x" .Values.none }}{{ .Values.name | default "x" }}', 'xgw'],
  ['{{ printf "%s-%s" .Values.name "b" | trunc 4 | trimSuffix "-" | upper }}', 'GW-B'],
  ['{{ ternary "on" "off" .Values.on }}{{ not .Values.on }}{{ eq .Values.name "gw" }}', 'onfalsetrue'],
  ['{{ toJson .Values.big | quote }}{{ toJson .Values.list }}', '"1000000"["a","b"]'],
  ['{{ if kindIs "string" .Values.name }}s{{ end }}{{ if contains "w" .Values.name }}c{{ end }}', 'sc'],
  ['{{ required "needs a name" .Values.name }}{{ replace "w" "W" .Values.name }}', 'gwgW'],
  ['{{ sha256sum "" }}', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['{{ "a\\"b" }}{{ "}}" }}', 'a"b}}'],
]

test('the subset is executed as text/template and Helm describe it', () => {
  for (const [source, text] of EXAMPLES) assert.equal(rendered(source), text, source)
})

test('every function of the subset has an example', () => {
  const shown = EXAMPLES.map(([source]) => source).join(' ')
  for (const name of Object.keys(FUNCTIONS))
    if (name !== 'fail') assert.match(shown, new RegExp(`\\b${name}\\b`), name)
})

const REFUSED: readonly (readonly [source: string, message: string])[] = [
  ['a\n{{ lower .Values.name }}', 'a.yaml:2: the function lower is not in the subset'],
  ['{{ tpl .Values.name . }}', 'a.yaml:1: the function tpl is not in the subset'],
  ['{{ lookup "v1" "Secret" "a" "b" }}', 'a.yaml:1: the function lookup is not in the subset'],
  ['{{ constructor . }}', 'a.yaml:1: the function constructor is not in the subset'],
  ['\n\n{{ $x := 1 }}', 'a.yaml:3: ":=" is not expected here'],
  ['{{ template "t" . }}', 'a.yaml:1: template is not in the subset'],
  ['{{ block "t" . }}{{ end }}', 'a.yaml:1: block is not in the subset'],
  ['{{ `raw` }}', 'a.yaml:1: not in the subset: `raw`'],
  ["{{ 'c' }}", "a.yaml:1: not in the subset: 'c'"],
  ['{{ 1.5 }}', 'a.yaml:1: not in the subset: 1.5'],
  ['{{ (.Values.map).a }}', 'a.yaml:1: ".a" is not expected here'],
  ['{{ if .Values.on }}', 'a.yaml:1: a block has no end'],
  ['{{ end }}', 'a.yaml:1: end belongs to no block'],
  ['{{ if .Values.on }}{{ else }}{{ else }}{{ end }}', 'a.yaml:1: else belongs to no block'],
  ['{{ with .Values.map }}{{ else with .Values.list }}{{ end }}', 'a.yaml:1: only "else"'],
  ['{{ if .Values.on }}{{ define "t" }}{{ end }}{{ end }}', 'a.yaml:1: define stands inside of a block'],
  ['{{ .Values.name', 'a.yaml:1: an action does not end'],
  ['\n{{ .Values.missing }}', 'a.yaml:2: a missing value is printed'],
  ['{{ .Values.missing.name }}', 'a.yaml:1: .name is asked of what has no members'],
  ['{{ .Values.map }}', 'a.yaml:1: a list or an object is printed'],
  ['{{ .Values.big }}', 'a.yaml:1: the number 1000000 is printed as 1e+06'],
  ['{{ quote .Values.big }}', 'a.yaml:1: the number 1000000'],
  ['{{ range .Values.name }}{{ end }}', 'a.yaml:1: range takes a list or an object'],
  ['{{ range $a, $b, $c := .Values.map }}{{ end }}', 'a.yaml:1: range takes one variable'],
  ['{{ $other }}', 'a.yaml:1: the variable $other is not defined'],
  ['{{ include "none" . }}', 'a.yaml:1: no template "none" is defined'],
  ['{{ fail "set origin" }}', 'a.yaml:1: set origin'],
  ['{{ required "set origin" .Values.none }}', 'a.yaml:1: set origin'],
  ['{{ nindent 1000 "a" }}', 'a.yaml:1: takes a whole number'],
  ['{{ printf "%d" "1" }}', 'a.yaml:1: knows only %s'],
  ['{{ eq .Values.name .Values.port }}', 'a.yaml:1: compares two values of one basic type'],
  ['{{ quote }}', 'a.yaml:1: quote takes 1 inputs'],
  ['{{ .Values.name | "a" }}', 'a.yaml:1: a pipe leads to a function'],
  ['{{ (quote "a" }}', 'a.yaml:1: a parenthesis is not closed'],
]

test('what is outside of the subset is refused with file and line', () => {
  for (const [source, message] of REFUSED)
    assert.throws(
      () => rendered(source),
      (error) => {
        assert.ok(error instanceof TemplateError, source)
        assert.ok(error.message.startsWith(message), `${source}: ${error.message}`)
        return true
      },
    )
})

test('a template that includes itself, or that grows without end, is refused', () => {
  const self = '{{ define "t" }}{{ include "t" . }}{{ end }}{{ include "t" . }}'
  assert.throws(() => rendered(self), /a\.yaml:1: templates include each other too deeply/)
  const double = Array.from(
    { length: 25 },
    (_, at) => `{{ define "t${at}" }}{{ include "t${at + 1}" . }}{{ include "t${at + 1}" . }}{{ end }}`,
  ).join('')
  assert.throws(
    () => rendered(`${double}{{ define "t25" }}a{{ end }}{{ include "t0" . }}`),
    /more than 50000 steps/,
  )
  const longer = Array.from({ length: 24 }, () => '{{ with . }}').join('')
  assert.throws(() => rendered(longer.repeat(2) + '{{ end }}'.repeat(48)), /nested too deeply/)
})

/** Pieces of which random templates are made: most of them fit together sometimes. */
const PIECES = [
  '{{ ',
  '{{- ',
  ' }}',
  ' -}}',
  '{{',
  '}}',
  '(',
  ')',
  ' | ',
  '"',
  '"a"',
  '\\',
  '/*',
  '*/',
  '{{/* a */}}',
  '\n',
  '  ',
  'a: ',
  'if ',
  'else',
  'else if ',
  'with ',
  'range ',
  'range $k, $v := ',
  'define "t"',
  'end',
  'include "t" . ',
  '.',
  '$',
  '$v',
  '.Values',
  '.Values.list',
  '.Values.map.a',
  '.__proto__',
  '.constructor',
  'true',
  '-1',
  '7',
  '99999',
  '%s',
  ':=',
  ',',
  ...Object.keys(FUNCTIONS).map((name) => `${name} `),
  'and ',
  'or ',
  'not ',
  'toString ',
  '{{ if .Values.on }}',
  '{{ end }}',
  '{{ range .Values.list }}',
  '{{ with .Values.map }}',
  '{{ else }}',
  '{{ .Values.name | quote }}',
  '{{ include "t" . }}',
  '{{ define "t" }}',
] as const

test('a random template is rendered, or refused with file and line', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...PIECES), { maxLength: 60 }), (pieces) => {
      try {
        assert.equal(typeof rendered(pieces.join('')), 'string')
      } catch (error) {
        assert.ok(error instanceof TemplateError, String(error))
        assert.match(error.message, /^a\.yaml:[0-9]+: ./)
      }
    }),
    { numRuns: fuzzCases(4000, 200_000) },
  )
})

/** Random templates that are well-formed. */
const wellFormed = fc.letrec<{ nodes: string; node: string; value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('.', '$', '.Values', '.Values.list', '.Values.map', '.Values.name', '"a"', '7', 'true'),
    fc
      .tuple(
        fc.constantFrom('not', 'quote', 'toYaml', 'toJson', 'include "t"', 'nindent 2', 'default "x"'),
        tie('value'),
      )
      .map(([name, value]) => `(${name} ${value})`),
  ),
  node: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('text', '\n', '  '),
    tie('value').map((value) => `{{- ${value} | quote }}`),
    fc
      .tuple(
        fc.constantFrom('if', 'with', 'range', 'range $k, $v :='),
        tie('value'),
        tie('nodes'),
        tie('nodes'),
      )
      .map(([word, value, body, other]) => `{{ ${word} ${value} }}${body}{{ else }}${other}{{ end }}`),
  ),
  nodes: fc.array(tie('node'), { maxLength: 4 }).map((nodes) => nodes.join('')),
}))

test('a random well-formed template ends within its bounds, also one that includes itself', () => {
  let written = 0
  fc.assert(
    fc.property(wellFormed.nodes, wellFormed.nodes, (body, included) => {
      try {
        rendered(`{{ define "t" }}${included}{{ end }}${body}`)
        written += 1
      } catch (error) {
        assert.ok(error instanceof TemplateError, String(error))
        assert.doesNotMatch(error.message, /not in the subset|not expected|has no end/)
      }
    }),
    { numRuns: fuzzCases(2000, 100_000) },
  )
  assert.ok(written > 200, `${written} were rendered`)
})
