import assert from 'node:assert/strict'
import { test } from 'node:test'
import { itemOf } from './capability.ts'
import {
  choiceOf,
  fitsGlob,
  harmless,
  type Rules,
  risksOf,
  sentenceOfRule,
  summaryOf,
  withItem,
  withName,
} from './selection.ts'

const item = (name: string, annotations = {}) =>
  itemOf('tools', { name, description: `Does ${name}`, annotations })
const [read, write, drop] = [item('read_a', { readOnlyHint: true }), item('write_a'), item('drop')]
const is = (rules: Rules) => [read!, write!, drop!].map((one) => choiceOf(rules, one).is)

test('without rules all items are selected, an empty list selects none, and a list what it names', () => {
  assert.deepEqual(is(undefined), ['on', 'on', 'on'])
  assert.deepEqual(is([]), ['off', 'off', 'off'])
  assert.deepEqual(is(['drop']), ['off', 'off', 'on'])
  assert.deepEqual(
    [undefined, [], ['drop']].map((rules) => summaryOf(rules, [read!, write!, drop!])),
    ['all', 'none', 'some'],
  )
})

test('a tool is harmless if its server says that it only reads, and its name is of nothing secret', () => {
  const only = { readOnlyHint: true }
  assert.deepEqual(risksOf(read!), [])
  assert.deepEqual(risksOf(write!), ['writes'])
  assert.deepEqual(risksOf(item('drop', { readOnlyHint: true, destructiveHint: true })), ['writes'])
  for (const name of ['get-env', 'printEnv', 'list_api_keys', 'read.secret'])
    assert.deepEqual(risksOf(item(name, only)), ['reveals'], name)
  for (const name of ['get_environmental_report', 'monkey', 'tokenize'])
    assert.deepEqual(risksOf(item(name, only)), [], name)
  assert.deepEqual(harmless([read!, write!, item('get-env', only)]), ['read_a'])
})

test('rules select by pattern, hint and caller, and a deny rule comes before each allow rule', () => {
  assert.deepEqual(is([{ match: { glob: '*_a' } }]), ['on', 'on', 'off'])
  assert.deepEqual(is([{ match: { glob: '*Does d*', on: 'description' } }]), ['off', 'off', 'on'])
  assert.deepEqual(is([{ match: { annotation: 'readOnlyHint', is: true } }]), ['on', 'off', 'off'])
  assert.deepEqual(is([{ match: { annotation: 'destructiveHint', is: true } }]), ['on', 'on', 'on'])
  assert.deepEqual(is([{ match: { glob: '*' } }, { match: { exact: 'drop' }, effect: 'deny' }]), [
    'on',
    'on',
    'off',
  ])
  assert.deepEqual(is([{ match: { exact: 'drop' }, subjects: { teams: ['a'] } }]), ['off', 'off', 'some'])
  assert.deepEqual(is([{ match: { glob: '*' } }, { match: { exact: 'drop' }, effect: 'deny', when: 'x' }]), [
    'on',
    'on',
    'some',
  ])
})

test('a box changes its own item alone, and setting it back gives the rules as they were', () => {
  for (const rules of [
    undefined,
    [{ match: { glob: '*' }, subjects: { teams: ['a'] } }],
    ['read_a', 'write_a', 'drop'],
    [{ match: { exact: 'drop' }, subjects: { teams: ['a'] } }, 'read_a', 'write_a'],
  ] satisfies Rules[]) {
    const before = is(rules)
    const off = withItem(rules, drop!, false)
    assert.deepEqual(is(off), [before[0], before[1], 'off'])
    assert.deepEqual(is(withItem(off, drop!, true)), before)
  }
  assert.equal(withItem(withItem(undefined, drop!, false), drop!, true), undefined)
  assert.deepEqual(withItem([], drop!, true), ['drop'])
})

test('an item that a rule about several items denies cannot be selected by its box', () => {
  const rules: Rules = [{ match: { glob: 'd*' }, effect: 'deny' }, { match: { glob: '*' } }]
  assert.deepEqual(choiceOf(rules, drop!), { is: 'off', rule: 0, rename: null, canChange: false })
  assert.equal(choiceOf(rules, read!).canChange, true)
})

test('a new name decides before other rules, keeps the other items, and is taken back', () => {
  const renamed = withName(undefined, drop!, 'remove')
  assert.equal(choiceOf(renamed, drop!).rename, 'remove')
  assert.deepEqual(is(renamed), ['on', 'on', 'on'])
  assert.equal(withName(renamed, drop!, null), undefined)
  const listed = withName(['read_a', 'drop'], drop!, 'remove')
  assert.deepEqual(listed, [{ match: { exact: 'drop' }, projection: { name: 'remove' } }, 'read_a'])
  assert.deepEqual(withName(listed, drop!, null), ['drop', 'read_a'])
  const withTitle: Rules = [{ match: { exact: 'drop' }, projection: { title: 'T', name: 'x' } }]
  assert.deepEqual(withName(withTitle, drop!, null), [
    { match: { exact: 'drop' }, projection: { title: 'T' } },
  ])
  const off = withItem(listed, drop!, false)
  assert.equal(choiceOf(off, drop!).is, 'off')
  assert.equal(choiceOf(withItem(off, drop!, true), drop!).rename, 'remove')
})

test('a pattern fits as its stars can stand for any text', () => {
  for (const [pattern, text, expected] of [
    ['a*c', 'abc', true],
    ['a*c', 'ac', true],
    ['a*a', 'a', false],
    ['*', '', true],
    ['a', 'ab', false],
    ['*b*d', 'abcd', true],
    ['*b*b', 'ab', false],
    ['x.*', 'xyz', false],
  ] as const)
    assert.equal(fitsGlob(pattern, text), expected, `${pattern} ${text}`)
})

test('a rule is told in words', () => {
  assert.equal(sentenceOfRule('drop', 'tools'), 'allow drop')
  assert.equal(
    sentenceOfRule({ match: { glob: 'a*' }, effect: 'deny', subjects: {} }, 'resources'),
    'deny uri like a*, for some callers',
  )
  assert.equal(
    sentenceOfRule({ match: { annotation: 'readOnlyHint', is: true }, when: 'x' }, 'tools'),
    'allow readOnlyHint is true, when x',
  )
})

test('an item of a server that lists anything has texts', () => {
  assert.deepEqual(itemOf('tools', { name: 7, annotations: [], title: {} }), {
    key: '',
    name: '',
    title: '',
    description: '',
    annotations: {},
  })
  assert.equal(itemOf('resources', { uri: 'a:b', name: 'n' }).key, 'a:b')
})
