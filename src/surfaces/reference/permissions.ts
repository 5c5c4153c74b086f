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

Permissions decide what people and programs may do. A permission is a resource and a verb, such as \`proxies:update\`. It is the same
over REST, Management MCP, the command line and the console. You give permissions with grants:

\`\`\`sh
postern grants create --user ada --name "Payments" --role modifier --scope '{"collections":["payments"]}'
\`\`\`

Grants are for [users, teams and groups](people.md) and for [service identities](service-identities.md). A **grant** is a role, for
everything or within a scope.

| role | may |
|---|---|
| \`viewer\` | read the configuration, records and metrics |
| \`modifier\` | also change the configuration |
| \`auditor\` | read the audit log and records, and verify the audit log |
| \`admin\` | do everything, including access and keys |
| [custom roles](service-identities.md#roles-of-your-own) | what the role lists |

An access token has one or several grants, and allows what any of them allows. \`postern token --grant modifier:proxies@payments\` prints a
token that can only change the proxies of the collection Payments:

| grant | scope |
|---|---|
| \`viewer\` | everything that the role allows |
| \`modifier:proxies,collections\` | these types of resources (and \`audit\`, \`records\`, \`metrics\`) |
| \`modifier@payments,orders\` | these collections and their proxies |
| \`modifier@mcp:desk\` | this virtual MCP |
| \`viewer@tag:partner\` | resources with the tag, and resources that belong to them |
| \`modifier:proxies@payments\` | resources of the type in the collection |

- Resources outside of the scope are not listed and get 404. Resources that you may see but not change get 403 with the name of the
  permission. If your grant includes resources in a collection, you may refer to the collection without permission to read it. If you can see
  a resource, you see the slugs of its references. Slugs and base paths are unique in the whole instance: if a value is used outside of your
  scope, the error says only that it is used.
- Permissions never imply other permissions. To attach a credential, or to send it elsewhere (another \`upstream\`, \`token_url\` or
  introspection URL), you need \`credentials:use\` for it. Deleting a collection needs \`proxies:delete\` for its proxies, and publishing with
  \`cascade\` needs \`proxies:publish\`. A secret that is read from elsewhere belongs to no scope: to refer to it you need
  \`credentials:use\` without a scope. A base path below the base path of another collection, or for some of its hosts, takes paths from that
  collection, and needs \`collections:update\` for it. If you may change a client, you may assign it every collection that you may refer to.
- A change must be in your scope before and after it: you cannot remove a tag that your grant depends on. Adding a tag never extends your
  own permissions. To create something in a collection or client, you need the permission there, whatever its tags.
- You see records and audit entries that belong to a collection of your scope. Audit entries then omit changes of other resources. To
  explain requests, verify the audit log and manage encryption keys, you need a grant without a scope.
- Exporting audit entries needs \`audit:export\`, which auditor and admin have. You see an export only if you may read and export everything
  in it.
- If you may change a virtual MCP, its preview and drift show you the items of its origins. To add another origin as a member, you need
  \`origins:read\` for it. The same applies to a workflow or proxy that calls it.
- Policies, clients, credentials and workflows belong to no collection: a grant with a scope includes them only by tags. Guardrails have no
  tags, so a grant with a scope never includes them: their order affects all other guardrails.
- A scope stores ids of collections and virtual MCPs. Another resource that later gets the same slug is not in the scope.

The table shows the permission of each operation, and which roles have it. \`own\`: without the permission, you can use the operation only for
yourself, such as your own tokens, requests and connected accounts.

| operation | REST | MCP tool | permission | ${ROLES.join(' | ')} |
|---|---|---|---|${'---|'.repeat(ROLES.length)}
${rows.join('\n')}
`
}
