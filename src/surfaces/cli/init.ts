import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { UsageError } from './exit.ts'
import type { CliPorts } from './ports.ts'

/** The files of a starter configuration: an API with one endpoint, its limits, and a client that calls it. */
const STARTER: Readonly<Record<string, string>> = {
  'api.yaml': `# An API: where the gateway serves it, and where it forwards requests to.
# Every member of a document: docs/schema/config.json, or GET /management/config.schema.json of an instance.
kind: collection
slug: orders
spec:
  name: Orders
  # Callers reach it below this path of the gateway.
  base_path: /orders
  # A draft is not served. Set published once the upstream is right.
  status: published
  policy: standard
  upstream:
    targets:
      # Comes from variables.yaml, or from --var UPSTREAM=... of plan and apply.
      - url: \${var.UPSTREAM}
---
# An endpoint of the API. Requests to other paths and methods get 404 and 405.
kind: proxy
slug: get-order
spec:
  collection: orders
  name: Get order
  methods: [GET]
  # Below the base path: /orders/v1/orders/7
  path: /v1/orders/{id}
  status: published
`,
  'policy.yaml': `# Limits. A collection, an endpoint, a client or a profile refers to them by the slug.
kind: policy
slug: standard
spec:
  name: Standard
  limits:
    # Never more than 100 requests in any minute.
    - { name: minute, kind: rate, max: 100, window: 1m }
    # Never more than 10000 requests in a calendar day (UTC).
    - { name: day, kind: quota, max: 10000, window: 1d }
`,
  'client.yaml': `# A caller of APIs. It may call the collections in this list.
kind: client
slug: first-app
spec:
  name: First app
  collections: [orders]
---
# What the client authenticates with. After the first apply, this command prints a token:
#   postern profiles rotate first-app:default --secret-only
kind: profile
slug: default
spec:
  client: first-app
  name: Default
  auth: { type: token }
`,
}

const VARIABLES = `# Values of the variables in the documents, for --var-file. One file for each instance.
UPSTREAM: http://127.0.0.1:9000
`

interface Given {
  readonly force?: boolean
}

/** `postern init`: documents to begin with. */
export function initCommand(ports: CliPorts): Command {
  return new Command('init')
    .description(
      'Write a starter configuration: an API with one endpoint, limits and a client, with comments',
    )
    .argument('[dir]', 'Directory for the documents', 'gateway')
    .option('--force', 'Replace files that exist')
    .addHelpText('after', '\nExample:\n  postern init gateway\n')
    .action((dir: string, { force }: Given) => {
      const values = `${dir.replace(/\/+$/, '')}-variables.yaml`
      const files = Object.entries(STARTER).map(([name, text]) => [join(dir, name), text] as const)
      const all = [...files, [values, VARIABLES] as const]
      const known = all.map(([file]) => file).find((file) => existsSync(file))
      if (known !== undefined && force !== true)
        throw new UsageError(`${known} exists already. Name another directory, or add --force to replace it.`)
      mkdirSync(dir, { recursive: true })
      for (const [file, text] of all) {
        writeFileSync(file, text)
        ports.out(`${file}\n`)
      }
      ports.err(
        `Set UPSTREAM in ${values}. Then check and apply:\n  postern validate ${dir} --var-file ${values} --offline\n  postern apply ${dir} --var-file ${values}\n`,
      )
    })
}
