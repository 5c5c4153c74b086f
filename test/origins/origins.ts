import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { ownPort } from '../support/ports.ts'

/** An HTTP server of somebody else, which says what requests it has read. */
export interface Peer {
  readonly port: number
  /** Method and target of every request it has read, in order. */
  requests(): readonly string[]
  stop(): Promise<void>
}

export interface PeerKind {
  readonly name: string
  /** Null when the program is there, else what to install. */
  readonly missing: () => string | null
  start(directory: string): Promise<Peer>
}

const SBIN = '/usr/sbin'

function missing(program: string, debian: string): string | null {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:${SBIN}` }
  return spawnSync(program, ['-v'], { env }).error === undefined ? null : `install ${debian} to run this`
}

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      done(true)
    })
    socket.on('error', () => done(false))
  })
}

/** Runs a program in the foreground and waits until its port is open. */
async function run(
  program: string,
  args: readonly string[],
  port: number,
  log: string | null,
): Promise<Peer> {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:${SBIN}` }
  const child: ChildProcess = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stdout!.on('data', (piece: Buffer) => {
    output += piece.toString('latin1')
  })
  child.stderr!.on('data', (piece: Buffer) => {
    errors += piece.toString('latin1')
  })
  const ended = new Promise<void>((done) => child.on('close', () => done()))
  const deadline = Date.now() + 10_000
  while (!(await accepts(port))) {
    if (Date.now() > deadline || child.exitCode !== null)
      throw new Error(`${program} does not listen: ${errors}${output}`)
    await new Promise((done) => setTimeout(done, 20))
  }
  return {
    port,
    requests() {
      const text = log === null ? output : readFileSync(log, 'latin1')
      return [...text.matchAll(/^READ (.*)$/gm)].map((match) => match[1]!)
    },
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

export const PEERS: readonly PeerKind[] = [
  {
    name: 'nginx',
    missing: () => missing('nginx', 'nginx'),
    async start(directory) {
      const port = await ownPort()
      const log = join(directory, 'nginx.log')
      const file = join(directory, 'nginx.conf')
      writeFileSync(
        file,
        `daemon off; master_process off; pid ${directory}/nginx.pid; error_log stderr error;
events {}
http {
  log_format read 'READ $request_method $request_uri';
  access_log ${log} read;
  client_body_temp_path ${directory}; proxy_temp_path ${directory}; fastcgi_temp_path ${directory};
  uwsgi_temp_path ${directory}; scgi_temp_path ${directory};
  server { listen 127.0.0.1:${port}; location / { return 200 "ok"; } }
}
`,
      )
      return run('nginx', ['-c', file, '-p', directory], port, log)
    },
  },
  {
    name: 'Apache httpd',
    missing: () => missing('apache2', 'apache2-bin'),
    async start(directory) {
      const port = await ownPort()
      const log = join(directory, 'apache.log')
      const file = join(directory, 'apache.conf')
      const modules = ['mpm_event', 'authz_core'].map(
        (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
      )
      writeFileSync(join(directory, 'index.html'), 'ok')
      writeFileSync(
        file,
        `${modules.join('\n')}
ServerRoot ${directory}
ServerName origin
Listen 127.0.0.1:${port}
PidFile ${directory}/apache.pid
Mutex file:${directory}
DocumentRoot ${directory}
ErrorLog ${directory}/apache-error.log
LogFormat "READ %m %U%q" read
CustomLog ${log} read
KeepAlive On
MaxKeepAliveRequests 0
`,
      )
      return run('apache2', ['-f', file, '-DFOREGROUND'], port, log)
    },
  },
  {
    name: 'HAProxy',
    missing: () => missing('haproxy', 'haproxy'),
    async start(directory) {
      const port = await ownPort()
      const file = join(directory, 'haproxy.cfg')
      writeFileSync(
        file,
        `global
  log stdout format raw local0
defaults
  mode http
  option dontlognull
  timeout client 10s
  timeout http-request 10s
frontend origin
  bind 127.0.0.1:${port}
  log global
  log-format "READ %HM %HU"
  http-request return status 200 content-type text/plain string ok
`,
      )
      return run('haproxy', ['-db', '-f', file], port, null)
    },
  },
  {
    name: 'lighttpd',
    missing: () => missing('lighttpd', 'lighttpd'),
    async start(directory) {
      const port = await ownPort()
      const log = join(directory, 'lighttpd.log')
      const file = join(directory, 'lighttpd.conf')
      writeFileSync(join(directory, 'index.html'), 'ok')
      writeFileSync(
        file,
        `server.modules = ("mod_accesslog")
server.document-root = "${directory}"
server.bind = "127.0.0.1"
server.port = ${port}
server.errorlog = "${directory}/lighttpd-error.log"
accesslog.filename = "${log}"
accesslog.format = "READ %m %U%q"
`,
      )
      return run('lighttpd', ['-D', '-f', file], port, log)
    },
  },
  {
    name: 'node:http',
    missing: () => null,
    async start() {
      const read: string[] = []
      const server = createHttpServer((request, response) => {
        read.push(`${request.method} ${request.url}`)
        // Answers before it has read the body, as handlers do that need none
        response.end('ok')
      })
      await once(server.listen(0, '127.0.0.1'), 'listening')
      return {
        port: (server.address() as AddressInfo).port,
        requests: () => read,
        async stop() {
          server.closeAllConnections()
          await new Promise((done) => server.close(done))
        },
      }
    },
  },
]
