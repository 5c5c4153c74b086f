import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { isPlain } from '../base/json/plain.ts'
import { ALL_KINDS } from './kinds.ts'

/** Prefixes of ids that are of no kind: tokens and keys of profiles, secrets, entries, requests, plans and others. */
const OTHERS = ['key', 'sec', 'aud', 'req', 'tok', 'pln', 'exp', 'chg', 'acr']

test('ids of each kind begin with three letters of its own', () => {
  const prefixes = ALL_KINDS.map(({ prefix }) => prefix)
  for (const prefix of prefixes) assert.match(prefix, /^[a-z]{3}$/)
  assert.equal(new Set([...prefixes, ...OTHERS]).size, prefixes.length + OTHERS.length)
})

/** Members whose text is a URL by name and which Postern never asks, with the reason. */
const NEVER_ASKED: Readonly<Record<string, string>> = {
  'users issuer': 'names the identity provider of the settings',
}

test('each kind whose spec holds a URL says which URLs are asked, so that the egress rule judges them at save', () => {
  const members = ALL_KINDS.flatMap((kind) => {
    const names = new Set<string>()
    collect(z.toJSONSchema(kind.spec, { io: 'output', unrepresentable: 'any' }), names)
    return [...names].map((name) => ({ kind, name }))
  })
  assert.ok(members.length > 5, 'URLs were found')
  for (const { kind, name } of members)
    if (NEVER_ASKED[`${kind.type} ${name}`] === undefined)
      assert.ok(kind.asks !== undefined, `${kind.type} has a member ${name} and no asks`)
})

/** Names of members that are URLs, at any depth. */
function collect(schema: unknown, names: Set<string>): void {
  if (Array.isArray(schema)) for (const one of schema) collect(one, names)
  else if (isPlain(schema)) {
    const properties = isPlain(schema['properties']) ? schema['properties'] : {}
    for (const name of Object.keys(properties)) if (/(^|_)(url|uri|issuer)$/.test(name)) names.add(name)
    for (const part of Object.values(schema)) collect(part, names)
  }
}
