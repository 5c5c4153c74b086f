import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toRunnerAddress } from '../../base/net/address.ts'
import { OriginSpec } from '../../model/mcp/origin.ts'
import { compileOrigin } from '../../snapshot/compile/mcp.ts'
import { linkOrigin } from '../../snapshot/link/small-kinds.ts'
import type { Upstream, UpstreamOptions } from '../../wire/port.ts'
import type { Routed } from '../exchange.ts'
import { createPools } from './pools.ts'
import { runnerLines } from './request.ts'

const linked = (spec: object) =>
  linkOrigin(compileOrigin({ id: 'ori_1', slug: 'x', spec: OriginSpec.parse({ name: 'X', ...spec }) }, null))
const stdio = linked({ kind: 'stdio', entry: 'files', parameters: { project: 'alpha' } })

const linesOf = (
  subject: string,
  more: { client?: string; profile?: string; token?: string } = {},
): string => {
  const { client = 'cli_1', profile = 'pro_1', token = '' } = more
  const identity = { client: { id: client }, profile: { id: profile }, subject, credentialId: 'tok_1' }
  const lane = { runner: { ...toRunnerAddress('unix:/run/x.sock'), token } }
  // The members of an exchange that are read
  return runnerLines({
    capability: { origin: stdio },
    lane,
    identity,
    snapshot: { hosts: new Map() },
  } as unknown as Routed)
}

test('the runner is told of origin, parameters and user; each user has a key, which tells nothing', () => {
  const lines = linesOf('alice@example.com', { token: 'planted' })
  assert.match(
    lines,
    /^Runner-Origin: ori_1\r\nRunner-Parameters: [\w+/=]+\r\nRunner-Instance: [\w-]{43}\r\nRunner-Caller: [\w-]{43}\r\n/,
  )
  assert.match(lines, /\r\nAuthorization: Bearer planted\r\n$/)
  assert.doesNotMatch(lines, /alice|cli_1/)
  const parameters = /Runner-Parameters: (\S+)/.exec(lines)![1]!
  assert.equal(Buffer.from(parameters, 'base64').toString(), '{"project":"alpha"}')
  const own = linesOf('alice')
  assert.equal(linesOf('alice'), own)
  // The same subject may be somebody else at another client or profile
  const others = [
    linesOf('bob'),
    linesOf(''),
    linesOf('alice', { client: 'cli_2' }),
    linesOf('alice', { profile: 'pro_2' }),
    linesOf('","alice', { profile: '' }),
  ]
  assert.equal(new Set([own, ...others]).size, others.length + 1)
})

test('only an origin of kind stdio leads to the runner, whatever host others name', () => {
  const opened: UpstreamOptions[] = []
  const open = (options: UpstreamOptions): Upstream => {
    opened.push(options)
    return { call: () => assert.fail(), stream: () => assert.fail(), open: 0, idle: 0, close() {} }
  }
  const pools = createPools(open, toRunnerAddress('unix:/run/x.sock'))
  const http = linked({ url: 'http://runner.invalid/entries/files' })
  for (const { route } of [stdio, http]) pools.of(route!.upstream!.targets[0]!, null)
  assert.deepEqual(
    opened.map(({ address }) => address),
    [{ socketPath: '/run/x.sock' }, { host: 'runner.invalid', port: 80 }],
  )
  assert.equal(http.runnerFields, null)
  // Without a runner nothing is connected to: the name of the host leads nowhere
  opened.length = 0
  createPools(open).of(stdio.route!.upstream!.targets[0]!, null)
  assert.deepEqual(opened[0]?.address, { host: 'runner.invalid', port: 80 })
})
