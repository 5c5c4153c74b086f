/** A large description of an API, and a thread of its own that makes and sends it: what the main thread does meanwhile is the server's. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** How large: some 3.5 kB for each operation and each schema. */
export interface DescriptionSize {
  readonly operations: number
  readonly schemas: number
}

export interface Sending extends DescriptionSize {
  /** Of management, with the path of the operation. */
  readonly url: string
  readonly token: string
  /** Members beside the document. */
  readonly members: Readonly<Record<string, unknown>>
  /** The document is sent as a text in the place of an object. */
  readonly isText: boolean
}

export interface Sent {
  readonly bytes: number
  readonly status: number
  readonly text: string
}

const WORDS =
  'The collection of entities that the service manages for the tenant, with what callers may expect of each of them. '

/** An OpenAPI description in the manner of large public ones: shared schemas that refer to each other, parameters that repeat. */
export function largeDescription({ operations, schemas }: DescriptionSize): object {
  const name = (at: number): string => `service.entity${at % schemas}`
  const body = (at: number): object => ({
    description: 'An entity',
    content: { 'application/json': { schema: { $ref: `#/components/schemas/${name(at)}` } } },
  })
  const parameters = Array.from({ length: 8 }, (_, at) => ({
    name: `$option${at}`,
    in: 'query',
    description: WORDS,
    style: 'form',
    explode: false,
    schema: { type: 'array', uniqueItems: true, items: { type: 'string', enum: ['id', 'name', 'created'] } },
  }))
  const entity = (at: number): object => ({
    type: 'object',
    title: name(at),
    required: ['property0'],
    properties: Object.fromEntries(
      Array.from({ length: 30 }, (_, one) => [
        `property${one}`,
        one % 5 === 4
          ? { $ref: `#/components/schemas/${name(at * 7 + one)}` }
          : { type: 'string', nullable: true, maxLength: 255, description: WORDS },
      ]),
    ),
  })
  const path = (at: number): [string, object] => [
    `/tenants/{tenant}/entities${at}`,
    {
      parameters: [
        { name: 'tenant', in: 'path', required: true, description: WORDS, schema: { type: 'string' } },
      ],
      get: {
        summary: 'List entities',
        description: WORDS,
        operationId: `tenants.listEntities${at}`,
        parameters,
        responses: { 200: body(at) },
      },
      post: {
        summary: 'Create an entity',
        description: WORDS,
        operationId: `tenants.createEntity${at}`,
        requestBody: { required: true, ...body(at) },
        responses: { 201: body(at + 1) },
      },
    },
  ]
  return {
    openapi: '3.0.4',
    info: { title: 'Large', version: '1' },
    servers: [{ url: 'https://api.example.com/v1' }],
    components: {
      schemas: Object.fromEntries(Array.from({ length: schemas }, (_, at) => [name(at), entity(at)])),
    },
    paths: Object.fromEntries(Array.from({ length: operations / 2 }, (_, at) => path(at))),
  }
}

/** Makes a description and sends it, in a thread of its own. */
export function sendDescription(sending: Sending): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: sending })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

async function send({ url, token, members, isText, ...size }: Sending): Promise<Sent> {
  const description = largeDescription(size)
  const document = isText ? JSON.stringify(description) : description
  const body = Buffer.from(JSON.stringify({ ...members, document }))
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body,
  })
  return { bytes: body.length, status: response.status, text: await response.text() }
}

if (!isMainThread && parentPort !== null && workerData !== null) {
  const to = parentPort
  void send(workerData as Sending).then((sent) => to.postMessage(sent))
}
