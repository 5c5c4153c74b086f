import { allows } from '../../access/roles.ts'
import { ROLES } from '../../model/access/access.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { API_ROOT, nameOf, routeOf } from '../route.ts'

/** docs/permissions.md: which role may run which operation, where the operation is and how its fine-grained tool is called. */
export function permissionsPage(operations: readonly Operation[]): string {
  const rows = operations.map((operation) => {
    const { method, path } = routeOf(operation)
    const others = operation.own === undefined ? '-' : 'own'
    const marks = ROLES.map((role) => (allows(role, operation.permission) ? 'yes' : others))
    return `| \`${nameOf(operation)}\` | \`${method} ${API_ROOT}${path}\` | ${operation.tool === null ? '-' : `\`${operation.tool}\``} | \`${operation.permission}\` | ${marks.join(' | ')} |`
  })
  return `# Permissions

A permission is a resource and a verb. What a role may do is the same over REST, Management MCP and the command line.

Grants are given to [users, teams and groups](people.md) and to [service identities](service-identities.md). Of the roles,
\`viewer\` reads the configuration, the trail, records and metrics; \`modifier\` also changes the configuration; \`auditor\` reads
the trail and the records, and verifies the trail; \`admin\` does everything, access and keys included. [Roles of your
own](service-identities.md#roles-of-your-own) list their permissions.

A **grant** is a role, over everything or narrowed to a scope; an access token holds one or several, and may do what any of
them allows. \`postern token --grant modifier:proxies@payments\` prints a token that may change the proxies of the
collection Payments and do nothing else:

| grant | reaches |
|---|---|
| \`viewer\` | everything that the role may do |
| \`modifier:proxies,collections\` | these types of resources (and \`audit\`, \`records\`, \`metrics\`) |
| \`modifier@payments,orders\` | these collections and their proxies |
| \`modifier@mcp:desk\` | this virtual MCP |
| \`viewer@tag:partner\` | what has the tag, or belongs to what has it |
| \`modifier:proxies@payments\` | what is of the type and in the collection |

- What lies beyond is not in lists and is answered with 404; what may be seen but not changed with 403, naming the permission.
  Who may work below a collection may name it, without reading it. Who sees a resource sees the slugs of what it refers to.
  Slugs and base paths are unique over everything: one that is taken beyond a scope is told as taken, and no more of it.
- Nothing is implied: attaching a credential, or sending it elsewhere (another \`upstream\`, \`token_url\` or place of
  introspection), needs \`credentials:use\` for it, deleting a collection \`proxies:delete\` for its proxies, and publishing
  by \`cascade\` \`proxies:publish\`. Where a secret is read elsewhere, no scope says whose it is: referring to it needs
  \`credentials:use\` that is not narrowed to places. A base path below that of another collection, or for some of its hosts,
  takes paths from it, and needs \`collections:update\` for it. But who may change a client may assign it every collection that they may name.
- A change must lie within the scope before and after: a tag that a grant depends on cannot be taken off by it. Nobody comes
  to more by a tag that they give, and below a collection or client only who may do so there makes something, whatever
  its tags.
- Records and audit entries are shown where they belong to a collection of the scope, entries without what a change did to
  others. Explaining requests, verifying the trail and the vault's keys need a grant that is not narrowed to places.
- Exporting audit entries needs \`audit:export\`, which auditor and admin have; an export is there for everybody who may read and
  export all that it may hold.
- A virtual MCP is changed with the items of its origins, which its preview and drift show. Another origin becomes a member only with
  \`origins:read\` for it, and so does a workflow or proxy call it.
- Policies, clients, credentials and workflows stand in no collection: a grant that is narrowed to places reaches them by tags alone. Guardrails
  have no tags, and no such grant reaches them: their order decides with that of all others.
- Collections and virtual MCPs are held by id: another one that takes the slug over is not meant.

| operation | REST | MCP tool | permission | ${ROLES.join(' | ')} |
|---|---|---|---|${'---|'.repeat(ROLES.length)}
${rows.join('\n')}
`
}
