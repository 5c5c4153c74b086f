import { Link } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import type { ReactNode } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { faultOf, type Output, useCall, useMay } from '../../api/client.ts'
import { RunButton } from '../../forms/operation-form.tsx'
import { buttonClasses } from '../../kit/controls.tsx'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Badge, Status } from '../../kit/status.tsx'
import { CodeBlock, Time } from '../../kit/text.tsx'
import type { PartProps } from '../hand-made.ts'
import { Overview } from '../resources/overview.tsx'
import { callerOf } from './first-request.ts'
import { HELD_STATES } from './profile.tsx'

type Profile = Output<'profiles.list'>['items'][number]
/** Profiles of a client that are shown as cards. */
const CARDS_MAX = 50
/** Draft collections that are looked up. */
const DRAFTS_MAX = 200
const ASSIGNING = [
  { name: 'clients.assign', label: 'Assign' },
  { name: 'clients.unassign', label: 'Unassign' },
  { name: 'clients.assignments', label: 'Set the list' },
] as const

/** A client: its profiles with the headers of their callers, and what each of them may call. */
export default function ClientOverview({ resource, slug, value, schemas }: PartProps) {
  const may = useMay()
  const query = useCall('profiles.list', { client: slug, limit: CARDS_MAX })
  const profiles = query.data?.items ?? []
  return (
    <Overview resource={resource} slug={slug} value={value} schemas={schemas} without={['collections']}>
      <Card
        title="Profiles"
        actions={
          may('profiles.create') && (
            <Link
              to="/$resource/new"
              params={{ resource: 'profiles' }}
              search={{ client: slug }}
              className={buttonClasses('plain', true)}
            >
              <Plus size={16} aria-hidden="true" />
              New profile
            </Link>
          )
        }
      >
        {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
        {query.isPending && <SkeletonRows rows={3} />}
        {query.data !== undefined && profiles.length === 0 && (
          <p className="text-muted">
            No profile yet. With a profile, the client authenticates by a token, a JWT, a certificate or ids.
          </p>
        )}
        <ul className="grid gap-3 grid-cols-1 lg:grid-cols-2">
          {profiles.map((profile) => (
            <li key={profile.id} className="flex min-w-0 flex-col gap-2 rounded-md border border-line p-3">
              <ProfileCard profile={profile} />
            </li>
          ))}
        </ul>
        {query.data?.next_cursor != null && (
          <p className="mt-2">
            <Link
              to="/$resource"
              params={{ resource: 'profiles' }}
              search={{ client: slug }}
              className="underline"
            >
              All profiles of this client
            </Link>
          </p>
        )}
      </Card>
      <MayCall
        collections={(value['collections'] ?? []) as readonly string[]}
        profiles={profiles}
        actions={
          <span className="flex flex-wrap gap-2">
            {ASSIGNING.map(({ name, label }) => (
              <RunButton key={name} name={name} label={label} schemas={schemas} value={value} slug={slug} />
            ))}
          </span>
        }
      />
    </Overview>
  )
}

function ProfileCard({ profile }: { profile: Profile }) {
  const caller = callerOf(profile as unknown as JsonObject)
  const state = profile.credential_state
  return (
    <>
      <div className="flex flex-wrap items-center gap-2">
        <Link
          to="/$resource/$id"
          params={{ resource: 'profiles', id: profile.id }}
          className="min-w-0 font-medium underline"
        >
          {profile.name}
        </Link>
        <Badge>{profile.auth.type}</Badge>
        {!profile.active && <Status state="off">inactive</Status>}
        {state !== undefined && state !== 'none' && (
          <Status state={HELD_STATES[state]}>{state.replace('_', ' ')}</Status>
        )}
        {profile.credential_expires_at != null && (
          <span className="text-sm text-muted">
            expires <Time value={profile.credential_expires_at} />
          </span>
        )}
      </div>
      {caller.headers.length > 0 && (
        <CodeBlock
          label={`Headers of ${profile.name}`}
          text={caller.headers.map(({ name, value }) => `${name}: ${value}`).join('\n')}
        />
      )}
    </>
  )
}

interface MayCallProps {
  readonly collections: readonly string[]
  readonly profiles: readonly Profile[]
  readonly actions: ReactNode
}

/** Which collections the client has, and which of its profiles are limited to some of them. */
function MayCall({ collections, profiles, actions }: MayCallProps) {
  const { data, error, refetch } = useCall('collections.list', {
    status: 'draft',
    limit: DRAFTS_MAX,
    fields: 'slug',
  })
  const drafts = new Set(data?.items.map(({ slug }) => slug))
  return (
    <Card title="Collections it may call" actions={actions}>
      {error !== null && <FaultBox fault={faultOf(error)} retry={() => void refetch()} />}
      {collections.length === 0 ? (
        <p className="text-muted">No collections. Assign one, or let the client request access.</p>
      ) : (
        <div className="overflow-auto" tabIndex={0} role="region" aria-label="Collections it may call">
          <table className="w-full border-collapse text-left">
            <thead>
              <tr className="text-sm text-muted">
                <th scope="col" className="pr-4 pb-1 font-medium">
                  Collection
                </th>
                {profiles.map((profile) => (
                  <th key={profile.id} scope="col" className="px-2 pb-1 font-medium">
                    {profile.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {collections.map((collection) => (
                <tr key={collection} className="border-t border-line">
                  <th scope="row" className="py-1 pr-4 font-normal">
                    <Link
                      to="/$resource/$id"
                      params={{ resource: 'collections', id: collection }}
                      className="underline"
                    >
                      {collection}
                    </Link>
                  </th>
                  {profiles.map((profile) => (
                    <td key={profile.id} className="px-2">
                      <Assigned profile={profile} collection={collection} isDraft={drafts.has(collection)} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  )
}

interface AssignedProps {
  readonly profile: Profile
  readonly collection: string
  readonly isDraft: boolean
}

/** As the settings say. Whether a certain call is allowed, the check on the page of the profile tells. */
function Assigned({ profile, collection, isDraft }: AssignedProps) {
  if (profile.collections !== null && !profile.collections.includes(collection))
    return <Status state="off">not assigned</Status>
  if (isDraft) return <Status state="draft">draft, returns 404</Status>
  const { allow, deny } = profile.endpoints
  const methods = profile.allowed_methods.join(', ')
  if (allow.length > 0 || deny.length > 0) return <Status state="ok">some endpoints</Status>
  return <Status state="ok">{methods === '' ? 'all endpoints' : methods}</Status>
}
