import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { startControl } from '../../test/control.ts'
import { exampleOf } from '../../test/support/kind-examples.ts'
import { isPlain } from '../base/json/storable.ts'
import { PARENTS, type ResourceType } from '../model/resource-types.ts'
import { ALL_KINDS, KINDS_IN_ORDER } from './kinds.ts'

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

test('the example of each kind makes one, which its list and the export show, and what belongs to another is deleted with that', async () => {
  const control = await startControl()
  const slugOf = (type: ResourceType): string => `one-of-${type.replaceAll('_', '-')}`
  for (const { type } of KINDS_IN_ORDER) {
    const input = { ...(await exampleOf(type, 'one', slugOf)), slug: slugOf(type) }
    const { output } = await control.run(`${type}.create`, input)
    const listed = (await control.run(`${type}.list`, {})).output['items'] as { readonly id: string }[]
    assert.ok(
      listed.some(({ id }) => id === output['id']),
      type,
    )
  }
  const { output } = await control.run('config.export', { select: ALL_KINDS.map(({ noun }) => noun) })
  const exported = JSON.stringify(output)
  for (const { type } of ALL_KINDS) assert.ok(exported.includes(`"${slugOf(type)}"`), `${type} is exported`)

  const gone: string[] = []
  for (const { type } of KINDS_IN_ORDER.toReversed()) {
    if (PARENTS[type].length > 0) continue
    const slug = slugOf(type)
    const deleted = await control.run(`${type}.delete`, { id: slug }, { confirm: slug })
    gone.push(`${type}/${slug}`, ...(deleted.output['removed'] as string[]))
  }
  for (const { type } of ALL_KINDS)
    assert.ok(
      gone.some((name) => name.startsWith(`${type}/`) && name.endsWith(slugOf(type))),
      `${type} is deleted, or with what it belongs to: ${gone.join(' ')}`,
    )
  await control.close()
})
