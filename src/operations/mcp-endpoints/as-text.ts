import type { McpEndpoint } from './list.ts'
import { APPLICATION_NAMES, APPLICATIONS } from './snippets.ts'

/**
 * MCP endpoints as lines for people. Snippets are shown where they are those of one application.
 * @param items with the members that were asked for
 */
export function endpointsText({
  items,
  next_cursor: next,
}: {
  readonly items: readonly Partial<McpEndpoint>[]
  readonly next_cursor: string | null
}): string[] {
  if (items.length === 0) return ['No MCP endpoint is shared with this user.']
  const snippets = items.flatMap(({ connect = [] }) => connect)
  const applications = new Set(snippets.map(({ application }) => application))
  return [
    ...items.flatMap((endpoint) => [
      ...aboutEndpoint(endpoint),
      ...(applications.size === 1 ? (endpoint.connect ?? []).flatMap(snippetText) : []),
    ]),
    ...(applications.size > 1
      ? [`How to connect: add --application with one of ${APPLICATION_NAMES.join(', ')}.`]
      : []),
    ...(next === null ? [] : [`There are more: add --cursor ${next}`]),
  ]
}

function aboutEndpoint({ name, slug, url, description = '', origins = [] }: Partial<McpEndpoint>): string[] {
  const called = [name, slug === undefined ? undefined : name === undefined ? slug : `(${slug})`]
  return [
    called.filter((one) => one !== undefined).join(' '),
    ...[url ?? '', description, origins.length === 0 ? '' : `Origins: ${origins.join(', ')}`]
      .filter((line) => line !== '')
      .map((line) => `  ${line}`),
  ]
}

function snippetText({ application, form, place, text }: McpEndpoint['connect'][number]): string[] {
  const where = place === null ? '' : `, ${place}`
  const verb = { url: 'enter', command: 'run', file: 'add', link: 'open' }[form]
  return [`  ${APPLICATIONS[application]}${where}: ${verb}`, ...text.split('\n').map((line) => `    ${line}`)]
}
