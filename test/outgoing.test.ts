/**
 * Everything that connects to another machine passes the egress rule (`base/net/egress.ts`). This test finds what could connect
 * in another way, and lists the files that may, with the reason.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { test } from 'node:test'

/** Files and folders below `src`. */
const MAY_CONNECT: Readonly<Record<string, string>> = {
  'base/net/guarded-fetch': 'asks the rule for each URL',
  'services/socket': 'asks the rule for each connection',
  'sinks/syslog': 'asks the rule for each connection',
  'wire/native/upstream-connection': 'its pool asks the rule (wire/native/context)',
  'wire/native/direct': 'reads from sockets that others have opened',
  'wire/node/pool': 'asks the rule (wire/native/context)',
  'wire/node/sending': 'goes through the agent of such a pool',
  'oauth/sign-in/oidc': 'gives openid-client a guarded fetch',
  'oauth/sign-in/identity-tokens': 'asks with the configuration of oauth/sign-in/oidc',
  'oauth/federation/token-client': 'gives openid-client a guarded fetch',
  'oauth/server/provider': 'gives oidc-provider the fetch of client documents, which is guarded',
  'surfaces/cli': 'is the command line, which runs as the person who calls it',
  'runner/runner': 'looks whether another runner listens on its own socket',
  'surfaces/client': 'is the client of management, for the command line and for programs of others',
  'upkeep/doctor/doctor': 'is the command line: looks whether the runner of the settings answers',
  'upkeep/doctor/instance': 'is the command line: looks whether the addresses of the settings answer',
}

const CLIENTS: Readonly<Record<string, RegExp>> = {
  'node:net': /\b(connect|createConnection|Socket)\b/,
  'node:tls': /\b(connect)\b/,
  'node:http': /\b(request|get|Agent|ClientRequest)\b/,
  'node:https': /\b(request|get|Agent)\b/,
  'node:http2': /\b(connect)\b/,
  'node:dgram': /./,
  undici: /./,
  'openid-client': /./,
  'oidc-provider': /\bProvider\b/,
}
/** Of packages that send requests by themselves, or have such functions among others. */
const IMPORT = /\bimport\s+(?!type\b)([^'";]*?)\s*from\s*'([^']+)'|\bimport\s*\(\s*'([^']+)'\s*\)/g
/** Not after a dot, and not as the name of a member or of a method that is declared. */
const GLOBAL =
  /(?<![.\w'"`])(fetch\s*\((?![^)]*\)\s*(?::\s*Promise|\{))|fetch\s*[,)\]};]|new\s+(WebSocket|EventSource)\b)|globalThis\.fetch/

/** How a source could connect; null when it could not. */
function connectionIn(source: string): string | null {
  // The media type */* begins no comment
  const code = source.replaceAll(/(?<!\*)\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
  for (const [text, names, from, dynamic] of code.matchAll(IMPORT)) {
    const client = CLIENTS[from ?? dynamic ?? '']
    if (client === undefined) continue
    const values = (names ?? '').replaceAll(/\btype\s+\w+(\s+as\s+\w+)?/g, '')
    // The whole module, by whatever name
    if (dynamic !== undefined || !values.includes('{') || client.test(values)) return text
  }
  return GLOBAL.exec(code)?.[0] ?? null
}

const root = resolve(import.meta.dirname, '../src')

test('only listed files can connect to another machine: all else goes through the egress rule', () => {
  const unused = new Set(Object.keys(MAY_CONNECT))
  const wrong: string[] = []
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts') || entry.name.endsWith('.test.ts')) continue
    const file = join(entry.parentPath, entry.name)
    const name = relative(root, file).replaceAll('\\', '/').replace(/\.ts$/, '')
    const found = connectionIn(readFileSync(file, 'utf8'))
    if (found === null) continue
    const listed = Object.keys(MAY_CONNECT).find((one) => name === one || name.startsWith(`${one}/`))
    if (listed === undefined) wrong.push(`${name}: ${found}`)
    else unused.delete(listed)
  }
  assert.deepEqual(wrong, [], 'use createGuardedFetch, or a pool of the engine, which ask base/net/egress.ts')
  assert.deepEqual([...unused], [], 'these need no exception any more')
})

test('each way to connect is found, and what is none is not', () => {
  for (const source of [
    "ask('*/*')\nfetch(url)\n/** A comment. */",
    "import { request } from 'node:https'",
    "import { createServer, request as send, type IncomingMessage } from 'node:http'",
    "import {\n  connect,\n} from 'node:net'",
    "import { connect as connectTls } from 'node:tls'",
    "import * as net from 'node:net'",
    "import http from 'node:http'",
    "const { request } = await import('node:http')",
    "import { connect } from 'node:http2'",
    "import { createSocket } from 'node:dgram'",
    "import { Agent } from 'undici'",
    'const answer = await fetch(url)',
    'use(fetch)',
    'const parts = { fetch }',
    'const send = globalThis.fetch',
    'new WebSocket(url)',
  ])
    assert.notEqual(connectionIn(source), null, source)
  for (const source of [
    "import type { Socket } from 'node:net'",
    "import { createServer, type Socket } from 'node:net'",
    "import { createServer, type IncomingMessage } from 'node:http'",
    "import { createSecureContext } from 'node:tls'",
    "import type { Configuration } from 'openid-client'",
    "import { isIP } from 'node:net'",
    '/** Calls fetch(url). */\n// fetch(url)\nparts.fetch(url)',
    'const answer = await documents.fetch(url)',
    'return { async fetch(url) {} }',
    'interface Documents { fetch(url: string): Promise<Plain> }',
  ])
    assert.equal(connectionIn(source), null, source)
})
