import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startControl } from '../../../test/control.ts'
import type { Permission } from '../../access/principal.ts'
import { Refusal } from '../../base/refusal.ts'
import { sinkKind } from './kind.ts'

test('whoever makes a sink may read and export each of its streams without a scope', async () => {
  const control = await startControl()
  const permissions: Permission[] = [
    'sinks:create',
    'sinks:read',
    'audit:read',
    'audit:export',
    'records:read',
  ]
  const role = { id: 'rol_sinks', slug: 'sinks', permissions: new Set(permissions) }
  const scope = { collections: [], tags: ['shop'], types: [], verbs: [] }
  const make = (streams: readonly string[], grants: object[]) =>
    control.run(
      'sinks.create',
      { ...sinkKind.example, slug: `s-${streams.join('-')}`, streams },
      { grants: grants as never },
    )
  const denied = (permission: string) => (error: unknown) =>
    error instanceof Refusal &&
    error.code === 'permission_denied' &&
    error.facts.members?.['permission'] === permission
  await assert.rejects(make(['records'], [{ role }]), denied('records:export'))
  await assert.rejects(
    make(
      ['audit'],
      [{ role: { ...role, permissions: new Set<Permission>(['sinks:create']) } }, { role: 'auditor', scope }],
    ),
    denied('audit:read'),
  )
  await make(['audit'], [{ role }])
  await assert.rejects(control.run('sinks.replay', { id: 's-audit', from: '2999-01-01T00:00:00Z' }), /future/)
  await assert.rejects(
    control.run('sinks.replay', { id: 's-audit', from: '2026-01-01T00:00:00Z', streams: ['records'] }),
    /does not carry the stream records/,
  )
  await control.close()
})
