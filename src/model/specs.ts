import type {
  GrantSpec,
  RoleSpec,
  ServiceIdentitySpec,
  TeamSpec,
  TrustRuleSpec,
  UserSpec,
} from './access/access.ts'
import type { BindingSpec, HostSpec } from './access/host.ts'
import type { ClientSpec, ProfileSpec } from './access/profile.ts'
import type { CollectionSpec } from './api/collection.ts'
import type { CredentialSpec } from './api/credential.ts'
import type { GuardrailSpec } from './api/guardrail.ts'
import type { PolicySpec } from './api/policy.ts'
import type { ProxySpec } from './api/proxy.ts'
import type { OriginSpec } from './mcp/origin.ts'
import type { VirtualMcpSpec } from './mcp/virtual-mcp.ts'
import type { ResourceType } from './resource-types.ts'
import type { SinkSpec } from './sink.ts'
import type { WorkflowSpec } from './workflow/workflow.ts'

/** The members of something, of which no more is known. */
export type Fields = Readonly<Record<string, unknown>>

/** The spec of each type of resource. */
interface Specs {
  readonly collections: CollectionSpec
  readonly proxies: ProxySpec
  readonly workflows: WorkflowSpec
  readonly clients: ClientSpec
  readonly profiles: ProfileSpec
  readonly policies: PolicySpec
  readonly credentials: CredentialSpec
  readonly origins: OriginSpec
  readonly virtual_mcps: VirtualMcpSpec
  readonly guardrails: GuardrailSpec
  readonly roles: RoleSpec
  readonly users: UserSpec
  readonly teams: TeamSpec
  readonly service_identities: ServiceIdentitySpec
  readonly grants: GrantSpec
  readonly trust_rules: TrustRuleSpec
  readonly hosts: HostSpec
  readonly bindings: BindingSpec
  readonly sinks: SinkSpec
}

/** The spec of a resource of type `T`; {@link Fields} where that can be any type. */
export type SpecOf<T extends ResourceType> = ResourceType extends T ? Fields : Specs[T]
