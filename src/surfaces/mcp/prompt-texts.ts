import type { Prompt } from '../../mcp/protocol/door.ts'

type Values = Readonly<Record<string, string>>

/** A step of a task, and the operations that do it. It is left out where its caller may use none of them. */
interface Step {
  readonly operations: readonly string[]
  readonly text: (values: Values) => string
}

/** A task of people who administer a gateway. */
export interface PromptText extends Prompt {
  readonly arguments: readonly (Prompt['arguments'][number] & {
    /** Type of the resources whose slugs complete it. */
    readonly of?: string
  })[]
  /** Operations without which the task cannot be done: who may not use them does not see it. */
  readonly needs: readonly string[]
  readonly aim: (values: Values) => string
  readonly steps: readonly Step[]
}

const always = (text: string) => (): string => text

export const PROMPT_TEXTS: readonly PromptText[] = [
  {
    name: 'onboard_partner',
    title: 'Onboard a partner',
    description:
      'Creates a client with collections, limits and a credential, and tests it before you hand over the credential',
    arguments: [
      { name: 'partner', description: 'Name of the partner', required: true },
      {
        name: 'collections',
        description: 'Collections that the partner may call, separated by commas',
        required: false,
        of: 'collections',
      },
      { name: 'limit', description: 'Such as 1000 requests a minute', required: false },
    ],
    needs: ['clients.create'],
    aim: ({ partner, collections, limit }) =>
      `Onboard the partner ${partner}${collections === undefined ? '' : ` with access to: ${collections}`}${limit === undefined ? '' : `, limited to ${limit}`}.`,
    steps: [
      {
        operations: ['collections.list'],
        text: ({ collections }) =>
          collections === undefined
            ? 'List the collections, and ask which of them the partner may call.'
            : 'Find these collections, and check that they are published.',
      },
      {
        operations: ['policies.list'],
        text: always('Look for a policy with the requested limits.'),
      },
      { operations: ['policies.create'], text: always('If no policy matches, create one.') },
      {
        operations: ['clients.create'],
        text: always(
          'Create the client with its collections and its policy. It comes with a profile and a token; a person gets the token from the link in the response.',
        ),
      },
      {
        operations: ['profiles.create', 'profiles.update'],
        text: always('If the partner named addresses, methods or endpoints, limit its profile to them.'),
      },
      {
        operations: ['requests.explain'],
        text: always('Explain one call as that client: every check should pass.'),
      },
    ],
  },
  {
    name: 'publish_api',
    title: 'Publish an API',
    description: 'Publishes an API from its description, and checks the routes before callers use them',
    arguments: [
      {
        name: 'api',
        description: 'Name of the API, and the place of its description or its server',
        required: true,
      },
      { name: 'base_path', description: 'Path that its routes begin with, such as /orders', required: false },
    ],
    needs: ['collections.publish'],
    aim: ({ api, base_path }) =>
      `Publish this API${base_path === undefined ? '' : ` below ${base_path}`}: ${api}`,
    steps: [
      { operations: ['collections.list'], text: always('Check that its base path is free.') },
      {
        operations: ['collections.import'],
        text: always(
          'If there is a description (OpenAPI, Swagger 2.0, Postman, HAR), import it. Do not publish it yet.',
        ),
      },
      {
        operations: ['collections.create'],
        text: always('Without a description, create the collection with its upstream.'),
      },
      { operations: ['proxies.create'], text: always('Then create a proxy for each route.') },
      {
        operations: ['proxies.list'],
        text: always('Check the routes, and the warnings in the earlier responses.'),
      },
      {
        operations: ['collections.publish'],
        text: always('Publish it with cascade, after the person has agreed.'),
      },
      {
        operations: ['requests.explain'],
        text: always('Explain a call of one of its routes: it should reach the upstream.'),
      },
    ],
  },
  {
    name: 'investigate_errors',
    title: 'Investigate errors',
    description:
      'Finds out which calls fail, since when and for which callers, and which setting or server is the cause',
    arguments: [
      {
        name: 'collection',
        description: 'Only calls of this collection',
        required: false,
        of: 'collections',
      },
      { name: 'client', description: 'Only calls of this client', required: false, of: 'clients' },
      { name: 'since', description: 'Such as 2026-05-01T00:00:00Z', required: false },
    ],
    needs: ['records.list'],
    aim: ({ collection, client, since }) =>
      `Find out why calls fail${collection === undefined ? '' : ` in the collection ${collection}`}${client === undefined ? '' : ` for the client ${client}`}${since === undefined ? '' : ` since ${since}`}.`,
    steps: [
      {
        operations: ['metrics.error_endpoints'],
        text: always('Find the endpoints that fail, and the share of failed calls.'),
      },
      { operations: ['metrics.over_time'], text: always('Find the time at which the errors began.') },
      {
        operations: ['records.list'],
        text: always(
          'Search the records with status 5xx, then 4xx; group them by code, client and stopped_at.',
        ),
      },
      { operations: ['records.get'], text: always('Read some of the records completely.') },
      {
        operations: ['requests.explain'],
        text: always(
          'Explain one of the requests by its request id: find the check and the setting that decided.',
        ),
      },
      {
        operations: ['collections.health'],
        text: always('Check the health of the servers behind the collection.'),
      },
      {
        operations: ['audit.list'],
        text: always('Find the changes shortly before the errors began, and who made them.'),
      },
    ],
  },
  {
    name: 'rotate_credentials',
    title: 'Rotate credentials',
    description: 'Replaces credentials of callers or for upstreams without failed calls',
    arguments: [
      { name: 'client', description: 'Client whose profiles are rotated', required: false, of: 'clients' },
      { name: 'credential', description: 'Credential for an upstream', required: false, of: 'credentials' },
    ],
    needs: ['profiles.rotate'],
    aim: ({ client, credential }) =>
      client === undefined && credential === undefined
        ? 'Rotate the credentials that expire soon.'
        : `Rotate ${[client && `the credentials of the client ${client}`, credential && `the credential ${credential}`].filter(Boolean).join(' and ')}.`,
    steps: [
      {
        operations: ['profiles.list', 'credentials.list'],
        text: always(
          'List them with their state: which have expired, which expire soon, and when each was last used.',
        ),
      },
      {
        operations: ['profiles.rotate'],
        text: always(
          'Rotate each of these profiles, with an overlap in which the old token still works. A person gets the new token from the link in the response.',
        ),
      },
      {
        operations: ['profiles.state'],
        text: always('Later, check that only the new token is used.'),
      },
      {
        operations: ['profiles.revoke'],
        text: always('If the old token has leaked, revoke it immediately, after the person has agreed.'),
      },
      {
        operations: ['credentials.test', 'credentials.rotate'],
        text: always(
          'Credentials for upstreams: get the new secret from a person or a vault, test it, then rotate.',
        ),
      },
      {
        operations: ['credentials.revert'],
        text: always('If upstreams refuse the new secret, revert the rotation.'),
      },
    ],
  },
  {
    name: 'promote_environment',
    title: 'Promote to another environment',
    description:
      'Copies a tested configuration from another instance to this one, with a plan before the apply',
    arguments: [
      {
        name: 'from',
        description: 'Instance with the tested configuration, such as staging',
        required: true,
      },
      { name: 'select', description: 'Such as collection/orders. Default: everything', required: false },
    ],
    needs: ['config.plan', 'config.apply'],
    aim: ({ from, select }) =>
      `Copy ${select ?? 'the configuration'} from ${from} to this instance. The steps name the tools of this instance. Use the same tools of ${from} to read its configuration.`,
    steps: [
      {
        operations: ['config.export'],
        text: always('In the other instance: export these documents. They contain no secrets.'),
      },
      {
        operations: ['config.diff'],
        text: always(
          'Here: check what was changed since documents were last applied, so that nothing is lost.',
        ),
      },
      {
        operations: ['config.plan'],
        text: always('Plan them here with the variables of this instance, and show each step to the person.'),
      },
      {
        operations: ['config.apply'],
        text: always('Apply exactly that plan, by its plan_id, after the person has agreed.'),
      },
      {
        operations: ['requests.explain'],
        text: always(
          'Explain a call of the promoted configuration: it should reach the upstream of this instance.',
        ),
      },
    ],
  },
  {
    name: 'compliance_report',
    title: 'Report for an audit',
    description: 'Reports permissions and changes, and verifies the audit trail',
    arguments: [
      { name: 'from', description: 'Such as 2026-05-01T00:00:00Z', required: false },
      { name: 'to', description: 'Such as 2026-06-01T00:00:00Z', required: false },
    ],
    needs: ['audit.list'],
    aim: ({ from, to }) =>
      `Write a report for an audit${from === undefined ? '' : ` from ${from}`}${to === undefined ? '' : ` to ${to}`}. Cite the id of the entry for each statement.`,
    steps: [
      {
        operations: ['audit.verify'],
        text: always('Verify the audit trail. Begin the report with the result.'),
      },
      {
        operations: ['audit.list'],
        text: always(
          'List deletions, denials, changes of access, and changes of credentials in that time, with actor, address and reason.',
        ),
      },
      { operations: ['audit.get'], text: always('Read the differences of conspicuous entries.') },
      {
        operations: ['users.list', 'grants.list', 'service_identities.list', 'roles.list'],
        text: always('List who may administer the gateway, by which roles and within which scopes.'),
      },
      {
        operations: ['profiles.list'],
        text: always(
          'List profiles without a credential, and credentials that never expire or were never used.',
        ),
      },
      {
        operations: ['records.list'],
        text: always('Count refused calls of unknown callers, and of clients that broke their rules.'),
      },
    ],
  },
]

/** What every task begins with. */
export const RULES =
  'Work through the steps below in their order, with the tools of this server. Read before you write. Preview each write ' +
  'with dry_run, tell the person what it would change, and give a reason. Never ask the person to type a secret here, and ' +
  'never repeat a secret. At the end, report what was done, with ids and revisions.'
