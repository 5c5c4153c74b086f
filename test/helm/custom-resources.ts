/** Schemas of the two custom resources of the chart, written by hand from their API references. Closed like the real ones. */

const text = { type: 'string' } as const
const secretKey = closed({ name: text, key: text, optional: { type: 'boolean' } }, ['key'])
const duration = { type: 'string', pattern: '^(0|([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$' } as const
const tlsConfig = closed({
  ca: closed({ secret: secretKey, configMap: secretKey }),
  cert: closed({ secret: secretKey, configMap: secretKey }),
  keySecret: secretKey,
  serverName: text,
  insecureSkipVerify: { type: 'boolean' },
  caFile: text,
  certFile: text,
  keyFile: text,
})
const hostname = {
  type: 'string',
  maxLength: 253,
  pattern: '^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
} as const
const port = { type: 'integer', minimum: 1, maximum: 65535 } as const

function closed(properties: Record<string, object>, required: readonly string[] = []): object {
  return { type: 'object', additionalProperties: false, properties, required }
}

const metadata = { $ref: 'kubernetes#/definitions/apimachinery.pkg.apis.meta.v1.ObjectMeta' }

function resource(apiVersion: string, kind: string, spec: object): object {
  const members = { apiVersion: { const: apiVersion }, kind: { const: kind }, metadata, spec }
  return closed(members, ['apiVersion', 'kind', 'metadata', 'spec'])
}

/** By `apiVersion` and `kind`. */
export const CUSTOM_RESOURCES: Readonly<Record<string, object>> = {
  'monitoring.coreos.com/v1 ServiceMonitor': resource(
    'monitoring.coreos.com/v1',
    'ServiceMonitor',
    closed(
      {
        selector: { $ref: 'kubernetes#/definitions/apimachinery.pkg.apis.meta.v1.LabelSelector' },
        endpoints: {
          type: 'array',
          minItems: 1,
          items: closed({
            port: text,
            path: text,
            scheme: { enum: ['http', 'https'] },
            interval: duration,
            scrapeTimeout: duration,
            tlsConfig,
            authorization: closed({ type: text, credentials: secretKey }),
            oauth2: closed(
              {
                clientId: closed({ secret: secretKey, configMap: secretKey }),
                clientSecret: secretKey,
                tokenUrl: { type: 'string', pattern: '^https?://.+$' },
                scopes: { type: 'array', items: text },
                endpointParams: { type: 'object', additionalProperties: text },
                tlsConfig,
              },
              ['clientId', 'clientSecret', 'tokenUrl'],
            ),
          }),
        },
        namespaceSelector: closed({ any: { type: 'boolean' }, matchNames: { type: 'array', items: text } }),
      },
      ['selector', 'endpoints'],
    ),
  ),
  'gateway.networking.k8s.io/v1 HTTPRoute': resource(
    'gateway.networking.k8s.io/v1',
    'HTTPRoute',
    closed({
      parentRefs: {
        type: 'array',
        maxItems: 32,
        items: closed({ group: text, kind: text, namespace: text, name: text, sectionName: text, port }, [
          'name',
        ]),
      },
      hostnames: { type: 'array', maxItems: 16, items: hostname },
      rules: {
        type: 'array',
        minItems: 1,
        maxItems: 16,
        items: closed({
          matches: {
            type: 'array',
            items: closed({
              path: closed({ type: { enum: ['Exact', 'PathPrefix', 'RegularExpression'] }, value: text }),
            }),
          },
          backendRefs: {
            type: 'array',
            items: closed({ group: text, kind: text, name: text, namespace: text, port }, ['name']),
          },
        }),
      },
    }),
  ),
}
