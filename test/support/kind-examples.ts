/** A resource of each kind for tests that go through all of them: what its kind gives as an example, fitted to what the test has. */
import { isResourceType, type ResourceType } from '../../src/model/resource-types.ts'
import { mapRefs } from '../../src/operations/engine/refs.ts'
import { kindOf } from '../../src/operations/kinds.ts'

type Input = Readonly<Record<string, unknown>>

/**
 * What `create` takes for one of the type, without a slug.
 * @param name of letters, digits and hyphens: tells it from others of the type, as does the path that is made of it
 * @param refOf what stands for a reference to a type
 */
export async function exampleOf(
  type: ResourceType,
  name: string,
  refOf: (type: ResourceType) => string,
): Promise<Input & { readonly name: string }> {
  const kind = kindOf(type)
  const made = await mapRefs(kind, { ...kind.example, name }, (_ref, field) => refOf(field.type))
  const path = `/${name}`
  return {
    ...made,
    name,
    ...('base_path' in made && { base_path: path }),
    ...('path' in made && { path }),
    ...('email' in made && { email: null }),
  }
}

/**
 * The input of an operation that each kind has: `create` and `put` of a new one, `update`, `toggle` and `delete` of the one that is there.
 * Undefined for other operations.
 * @param name of what is made
 * @param refOf the one of a type that is there
 */
export async function standardInput(
  { resource, action }: { readonly resource: string; readonly action: string },
  name: string,
  refOf: (type: ResourceType) => string,
): Promise<Input | undefined> {
  if (!isResourceType(resource)) return undefined
  switch (action) {
    case 'create':
      return exampleOf(resource, name, refOf)
    case 'put':
      return { id: `put-${name}`, ...(await exampleOf(resource, `put-${name}`, refOf)) }
    case 'update':
      return { id: refOf(resource), description: 'Said' }
    case 'toggle':
      return { id: refOf(resource), active: false }
    case 'delete':
      return { id: refOf(resource) }
    default:
      return undefined
  }
}
