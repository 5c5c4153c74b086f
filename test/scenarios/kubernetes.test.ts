/** A whole Postern with the environment of the pod, as the kubelet and Prometheus call it. Addresses and directories are those of the test. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { startServer } from '../../src/serve.ts'
import { readSettings } from '../../src/settings.ts'
import { type Manifest, only, render } from '../helm/chart.ts'
import { ownPort } from '../support/ports.ts'
import { temporaryDirectory } from './process.ts'
import { call } from './server.ts'

const RENDERED = render({
  origin: 'https://gateway.example.com',
  serviceMonitor: { enabled: true, existingSecret: 'postern-scrape' },
})

let top: string
let running: Awaited<ReturnType<typeof startServer>>
before(async () => {
  top = await temporaryDirectory()
  // The volumes
  mkdirSync(join(top, 'data'))
  mkdirSync(join(top, 'keys'))
  const { data } = only(RENDERED, 'ConfigMap') as Manifest & { data: Record<string, string> }
  const environment = {
    ...data,
    POSTERN_DATA: join(top, data['POSTERN_DATA']!),
    POSTERN_KEY_FILE: join(top, data['POSTERN_KEY_FILE']!),
    POSTERN_LISTEN: `127.0.0.1:${await ownPort()}`,
    POSTERN_CONTROL_LISTEN: `127.0.0.1:${await ownPort()}`,
    POSTERN_WORKERS: '1',
  }
  running = await startServer(readSettings([], environment), { log: () => {} })
})
after(async () => {
  await running?.stop()
  await rm(top, { recursive: true, force: true })
})

interface Sent {
  readonly method?: string
  readonly headers: Record<string, string>
  readonly body?: string
}

/** A request to the control listener under another host name than its own. */
async function send(path: string, { method = 'GET', headers, body = '' }: Sent) {
  const { hostname, port } = new URL(running.controlUrl)
  const sent = request({ hostname, port, path, method, headers, agent: false }).end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: response.statusCode, text: await text(response) }
}

test('the data directory and the key are made on the volumes, for their owner alone', () => {
  assert.equal(statSync(join(top, 'data/postern')).mode & 0o777, 0o700)
  assert.equal(statSync(join(top, 'keys/vault.key')).mode & 0o777, 0o600)
  assert.ok(!existsSync(join(top, 'data/postern/vault.key')))
})

test('the link to the first administrator leads to the origin of the values', async () => {
  assert.match((await running.firstLink())?.url ?? '', /^https:\/\/gateway\.example\.com\//)
})

test('the probes of the pod succeed when they name the address of the pod', async () => {
  const { spec } = only(RENDERED, 'StatefulSet') as unknown as {
    spec: { template: { spec: { containers: Record<string, { httpGet: { path: string } }>[] } } }
  }
  const [container] = spec.template.spec.containers
  for (const name of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
    const headers = { host: '10.244.0.7:8081', 'user-agent': 'kube-probe/1.34' }
    const { status, text } = await send(container![name]!.httpGet.path, { headers })
    assert.equal(status, 200, `${name}: ${text}`)
  }
})

test('Prometheus gets a token and the metrics as the ServiceMonitor says, and no metrics without one', async () => {
  const { spec } = only(RENDERED, 'ServiceMonitor') as unknown as {
    spec: {
      endpoints: {
        path: string
        oauth2: { tokenUrl: string; endpointParams: Record<string, string> }
      }[]
    }
  }
  const { path, oauth2 } = spec.endpoints[0]!
  const { token: admin } = await running.issueToken({ role: 'admin', ttl: '1h', name: 'test admin' })
  const manage = async (below: string, body: object) => {
    const reply = await call('POST', `${running.controlUrl}/management/v1${below}`, { token: admin, body })
    assert.ok(reply.status < 300, reply.text)
    return reply.json
  }
  await manage('/roles', { name: 'Scraper', slug: 'scraper', permissions: ['metrics:read'] })
  await manage('/service_identities', { name: 'Prometheus', slug: 'prometheus' })
  await manage('/grants', { service_identity: 'prometheus', name: 'Metrics', role: 'scraper' })
  const { client_secret: secret } = await manage('/service_identities/prometheus/issue_secret', {})

  const { host, pathname } = new URL(oauth2.tokenUrl)
  const issued = await send(pathname, {
    method: 'POST',
    headers: {
      host,
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(`prometheus:${encodeURIComponent(secret)}`).toString('base64')}`,
    },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...oauth2.endpointParams }).toString(),
  })
  assert.equal(issued.status, 200, issued.text)
  const { access_token: token } = JSON.parse(issued.text) as { access_token: string }

  const scraped = await send(path, { headers: { host, authorization: `Bearer ${token}` } })
  assert.equal(scraped.status, 200, scraped.text)
  assert.match(scraped.text, /^postern_ready 1$/m)
  assert.equal((await send(path, { headers: { host } })).status, 401)
})
