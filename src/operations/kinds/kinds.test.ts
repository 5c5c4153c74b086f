import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALL_KINDS } from './kinds.ts'

/** Prefixes of ids that are of no kind: tokens and keys of profiles, secrets, entries, requests, plans and others. */
const OTHERS = ['key', 'sec', 'aud', 'req', 'tok', 'pln', 'exp', 'chg', 'acr']

test('ids of each kind begin with three letters of its own', () => {
  const prefixes = ALL_KINDS.map(({ prefix }) => prefix)
  for (const prefix of prefixes) assert.match(prefix, /^[a-z]{3}$/)
  assert.equal(new Set([...prefixes, ...OTHERS]).size, prefixes.length + OTHERS.length)
})
