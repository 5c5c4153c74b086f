import { z } from 'zod'
import type { Permission } from '../../access/principal.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { Memberships, Reason } from '../access/shared-with.ts'
import type { OperationContext } from '../engine/context.ts'

/** A user, with the teams that decide what is shared with them. */
export interface Person {
  readonly user: Resource<'users'>
  readonly own: Memberships
}

/** One part of what a user holds: `users.reach` shows it, and `users.offboard` ends it. */
export interface Part {
  /** Member of the answer of `users.reach`. */
  readonly name: string
  /** What the caller needs to be shown the part. */
  readonly permission: Permission
  readonly item: z.ZodObject
  /** Columns of its table, as paths into an item. */
  readonly columns: readonly string[]
  /** What the user holds now, also where it does not work because the user is inactive. */
  readonly show: (person: Person, context: OperationContext) => Promise<readonly object[]>
  /**
   * Ends it in the transaction of the context; gives the names of what has ended. Null where it ends with another part. The user is
   * inactive already, and is given as stored last.
   */
  readonly end: ((user: Resource, context: OperationContext) => Promise<readonly string[]>) | null
}

/** Types a part by the schema of its items. */
export function definePart<I extends z.ZodObject>(
  part: Omit<Part, 'item' | 'show'> & {
    readonly item: I
    readonly show: (person: Person, context: OperationContext) => Promise<readonly z.output<I>[]>
  },
): Part {
  return part
}

/** Why the user has an item. */
export const Because = z
  .array(
    z.object({
      by: z
        .enum(['all_users', 'user', 'team', 'group', 'claim'])
        .describe(
          'all_users: it is shared with all users; user: it names the user; team: it names a team; group: it names a group of the identity provider; claim: a claim of the identity provider is mapped to it',
        ),
      name: z.string().nullable().describe('Slug of the team, or the group'),
      path: z.array(z.string()).describe('Teams from the one that the user is in to the one that is named'),
      text: z.string().describe('The same in words, such as team tier-2 > support'),
    }),
  )
  .describe('Why the user has it')

/** Reasons as their schema has them. */
export function toBecause(reasons: readonly Reason[]): z.output<typeof Because> {
  return reasons.map((reason) => {
    const { by, name, path } = reason
    return { by, name, path: [...path], text: inWords(reason) }
  })
}

function inWords({ by, name, path }: Reason): string {
  switch (by) {
    case 'all_users':
      return 'all users'
    case 'user':
      return 'names the user'
    case 'team':
      return `team ${path.join(' > ')}`
    case 'group':
      return `group ${name}`
    case 'claim':
      return 'mapped claim'
  }
}
