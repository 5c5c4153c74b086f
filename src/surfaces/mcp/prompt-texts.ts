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
    description: 'A client with collections, limits and a credential, tried before it is handed over',
    arguments: [
      { name: 'partner', description: 'Name of the partner', required: true },
      {
        name: 'collections',
        description: 'What it may call, separated by commas',
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
            ? 'List the collections and ask which of them the partner is to call.'
            : 'Find the collections that are meant, and check that they are published.',
      },
      {
        operations: ['policies.list'],
        text: always('Look for a policy with the limits that are wanted.'),
      },
      { operations: ['policies.create'], text: always('Make one where none fits.') },
      {
        operations: ['clients.create'],
        text: always(
          'Create the client with its collections and its policy. It comes with a profile and a token; the token reaches a person by the link in the answer.',
        ),
      },
      {
        operations: ['profiles.create', 'profiles.update'],
        text: always('Narrow its profile where the partner named addresses, methods or endpoints.'),
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
    description: 'From a description of an API to published routes, checked before anybody calls them',
    arguments: [
      { name: 'api', description: 'What it is, and where its description or its server is', required: true },
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
          'Where there is a description (OpenAPI, Swagger 2.0, Postman, HAR), import it; leave it unpublished.',
        ),
      },
      {
        operations: ['collections.create'],
        text: always('Where there is none, create the collection with its upstream.'),
      },
      { operations: ['proxies.create'], text: always('And a proxy for each route.') },
      {
        operations: ['proxies.list'],
        text: always('Go through the routes, and the warnings of the answers before.'),
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
    description: 'What fails, since when, for whom, and which setting or server is the cause',
    arguments: [
      { name: 'collection', description: 'Only calls of this one', required: false, of: 'collections' },
      { name: 'client', description: 'Only calls of this one', required: false, of: 'clients' },
      { name: 'since', description: 'Such as 2026-05-01T00:00:00Z', required: false },
    ],
    needs: ['records.list'],
    aim: ({ collection, client, since }) =>
      `Find out why calls fail${collection === undefined ? '' : ` in the collection ${collection}`}${client === undefined ? '' : ` for the client ${client}`}${since === undefined ? '' : ` since ${since}`}.`,
    steps: [
      {
        operations: ['metrics.error_endpoints'],
        text: always('See which endpoints fail, and how often of how many calls.'),
      },
      { operations: ['metrics.over_time'], text: always('See when it began.') },
      {
        operations: ['records.list'],
        text: always(
          'Search the records with status 5xx, then 4xx; group them by code, client and stopped_at.',
        ),
      },
      { operations: ['records.get'], text: always('Read some of them whole.') },
      {
        operations: ['requests.explain'],
        text: always('Explain one by its request id: which check decided, by which setting.'),
      },
      { operations: ['collections.health'], text: always('See how the servers behind the collection are.') },
      {
        operations: ['audit.list'],
        text: always('See who changed what shortly before it began.'),
      },
    ],
  },
  {
    name: 'rotate_credentials',
    title: 'Rotate credentials',
    description: 'New credentials of callers or for upstreams, without a failed call in between',
    arguments: [
      { name: 'client', description: 'Whose profiles', required: false, of: 'clients' },
      { name: 'credential', description: 'Credential for an upstream', required: false, of: 'credentials' },
    ],
    needs: ['profiles.rotate'],
    aim: ({ client, credential }) =>
      client === undefined && credential === undefined
        ? 'Rotate the credentials that end soon.'
        : `Rotate ${[client && `the credentials of the client ${client}`, credential && `the credential ${credential}`].filter(Boolean).join(' and ')}.`,
    steps: [
      {
        operations: ['profiles.list', 'credentials.list'],
        text: always('List them with their state: what has ended, what ends soon, what was last used when.'),
      },
      {
        operations: ['profiles.rotate'],
        text: always(
          'Rotate each profile that is meant, with an overlap in which the old token still works. The new one reaches a person by the link in the answer.',
        ),
      },
      {
        operations: ['profiles.state'],
        text: always('Later, look whether the new one is used and the old one no longer.'),
      },
      {
        operations: ['profiles.revoke'],
        text: always('Revoke the old one at once where it has leaked, after the person has agreed.'),
      },
      {
        operations: ['credentials.test', 'credentials.rotate'],
        text: always(
          'Credentials for upstreams: the new secret comes from a person or a vault, is tried first, then takes over.',
        ),
      },
      {
        operations: ['credentials.revert'],
        text: always('Go back where upstreams refuse the new one.'),
      },
    ],
  },
  {
    name: 'promote_environment',
    title: 'Promote to another environment',
    description: 'What was tried in one instance into this one, planned before it is applied',
    arguments: [
      { name: 'from', description: 'The instance with what was tried, such as staging', required: true },
      { name: 'select', description: 'Such as collection/orders; everything when absent', required: false },
    ],
    needs: ['config.plan', 'config.apply'],
    aim: ({ from, select }) =>
      `Bring ${select ?? 'the configuration'} from ${from} into this instance. What follows names the tools of this one; the same tools of ${from} read what was tried there.`,
    steps: [
      {
        operations: ['config.export'],
        text: always('In the other instance: export the documents that are meant. Secrets are not in them.'),
      },
      {
        operations: ['config.diff'],
        text: always(
          'Here: see what was changed since documents were applied last, so that nothing is lost.',
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
        text: always('Explain a call of what was promoted: it should reach the upstream of this instance.'),
      },
    ],
  },
  {
    name: 'compliance_report',
    title: 'Report for an audit',
    description: 'Who may do what, who changed what, and whether the trail is whole',
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
        text: always('Verify that the trail is whole; begin the report with that.'),
      },
      {
        operations: ['audit.list'],
        text: always(
          'List deletions, denials, changes of access, and changes of credentials in that time: who, from where, why.',
        ),
      },
      { operations: ['audit.get'], text: always('Read the differences of those that stand out.') },
      {
        operations: ['users.list', 'grants.list', 'service_identities.list', 'roles.list'],
        text: always('List who may administer the gateway, by which roles and within which scopes.'),
      },
      {
        operations: ['profiles.list'],
        text: always(
          'List profiles without a credential, and credentials that never end or were never used.',
        ),
      },
      {
        operations: ['records.list'],
        text: always('Count refused calls: of unknown callers, and of clients beyond their rules.'),
      },
    ],
  },
]

/** What every task begins with. */
export const RULES =
  'Work through the steps below in their order, with the tools of this server. Read before you write. Preview each write ' +
  'with dry_run, tell the person what it would change, and give it a reason. Never ask for a secret to be typed here, and ' +
  'repeat none. Say at the end what was done, with ids and revisions.'
