import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Grant } from 'oidc-provider'
import { openTestStore } from '../../../test/support/test-database.ts'
import { createClock } from '../../base/clock.ts'
import { createSealed } from './adapter.ts'
import { createConsents } from './consents.ts'

/** A grant in which the person has declined scopes, as far as it is read. */
const declining = (scopes: string): Grant =>
  ({
    ...{ accountId: 'ann', clientId: 'agent', resources: {}, rejected: {} },
    ...{ getOIDCScope: () => '', getRejectedOIDCScope: () => scopes },
  }) as unknown as Grant

test('two answers of a person to one application at the same time are both kept', async () => {
  await using ends = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'postern-'))
  ends.defer(() => rmSync(directory, { recursive: true }))
  const store = await openTestStore(join(directory, 'config.db'))
  ends.defer(() => store.close())
  const consents = createConsents({
    ...{ store, sealed: createSealed(new Uint8Array(32)), clock: createClock() },
    // Not asked
    ...({} as Pick<Parameters<typeof createConsents>[0], 'resources' | 'mcp' | 'profiles' | 'needed'>),
  })
  await Promise.all(['email', 'profile'].map((scope) => consents.remember(declining(scope))))
  assert.deepEqual([...(await consents.declined('ann', 'agent'))].toSorted(), ['email', 'profile'])
})
