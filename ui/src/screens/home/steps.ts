/** First steps with the gateway. Each is done when what it leads to is really there. */
export interface StepFacts {
  /** Clients have called and got an answer below 400: what a call needs is there. */
  readonly isUsed: boolean
  readonly collections: readonly { readonly status?: unknown }[] | null
  readonly clients: readonly unknown[] | null
  /** Latest calls, with the surface that they came through. */
  readonly records: readonly StepCall[] | null
  /** A profile, such as `acme:live`, whose page shows how to call; null if there is none to show. */
  readonly profile: string | null
}

export interface StepCall {
  readonly surface?: unknown
  readonly client?: unknown
  readonly status?: unknown
}

export interface Step {
  readonly label: string
  readonly hint: string
  /** Null if the person may not see what tells it. */
  readonly isDone: boolean | null
  /** Below `/console`. */
  readonly to: string
}

export function stepsOf({ isUsed, collections, clients, records, profile }: StepFacts): readonly Step[] {
  const some = <T>(list: readonly T[] | null, fits: (one: T) => boolean = () => true): boolean | null =>
    list === null ? null : list.some(fits)
  return [
    {
      label: 'Add an API',
      hint: 'Import an OpenAPI description, or create a collection yourself.',
      isDone: isUsed || some(collections),
      to: '/collections/import',
    },
    {
      label: 'Publish it',
      hint: 'A draft returns 404 until it is published.',
      isDone: isUsed || some(collections, ({ status }) => status === 'published'),
      to: '/collections',
    },
    {
      label: 'Create a client',
      hint: 'Its token is shown once.',
      isDone: isUsed || some(clients),
      to: '/clients/new',
    },
    {
      label: 'Make the first call',
      hint: 'Call the API through the gateway with the token of the client.',
      isDone: isUsed || some(records, (call) => call.surface === 'gateway' && isAnswered(call)),
      to: profile === null ? '/clients' : `/profiles/${profile}`,
    },
    {
      label: 'Let an agent call it',
      hint: 'Give an AI application the MCP endpoint /mcp and the same token.',
      isDone: some(records, ({ surface }) => isAgent(surface)),
      to: '/records?surface=agent',
    },
  ]
}

/** True for a call of a client that got what it asked for. */
export function isAnswered({ client, status }: StepCall): boolean {
  return typeof client === 'string' && typeof status === 'number' && status < 400
}

/** True for the interfaces of agents. */
export function isAgent(surface: unknown): boolean {
  return surface === 'gateway_mcp' || surface === 'virtual_mcp'
}

/**
 * Search of the list of records that shows the failed calls of an endpoint.
 * @param endpoint method and route, such as `GET /orders/{id}`
 * @param code of most of its errors
 * @param range before now, such as `24h`
 */
export function recordsOf(endpoint: string, code: string | undefined, range: string) {
  const [method = '', ...route] = endpoint.split(' ')
  return { from: `-${range}`, method, route: route.join(' '), ...(code !== undefined && { code }) }
}
