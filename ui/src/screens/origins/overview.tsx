import { Link } from '@tanstack/react-router'
import { BookOpen, Stethoscope } from 'lucide-react'
import type { JsonObject } from '../../../build/document.ts'
import { faultOf, useCall, useMay } from '../../api/client.ts'
import { RunButton } from '../../forms/operation-form.tsx'
import { buttonClasses } from '../../kit/controls.tsx'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import ConnectionActions from '../connections/actions.tsx'
import type { PartProps } from '../hand-made.ts'
import { Facts, Overview, ResourceLink } from '../resources/overview.tsx'
import { authWords, countWords, usesOAuth } from './words.ts'

/** Page of the tools of an origin. */
const ADD: string = '/origins/add'
const TOOLS_MAX = 50
const ACCOUNTS_MAX = 50
const VIRTUAL_MCPS_MAX = 200
/** What the cards show. */
const CURRENT = ['reachable', 'down_since', 'last_error', 'last_refresh', 'protocol', 'capabilities']

/** An origin: whether it answers, what it offers, who uses it, and which accounts are connected. */
export default function OriginOverview(props: PartProps) {
  const { slug, value, schemas } = props
  const may = useMay()
  const mode = value['auth_mode']
  const isServer = value['kind'] !== 'collection'
  return (
    <Overview
      {...props}
      without={[
        ...CURRENT,
        'active',
        ...(usesOAuth(mode) ? [] : ['oauth']),
        ...(mode === 'user_key' ? [] : ['key_header']),
      ]}
    >
      <Card
        title="Server"
        actions={
          isServer && (
            <span className="flex flex-wrap gap-2">
              <RunButton
                name="origins.test"
                label="Test"
                icon={Stethoscope}
                schemas={schemas}
                value={value}
                slug={slug}
              />
              <RunButton
                name="origins.refresh_catalog"
                label="Read the catalogue"
                icon={BookOpen}
                schemas={schemas}
                value={value}
                slug={slug}
              />
            </span>
          )
        }
      >
        <Facts
          facts={[
            [
              'State',
              value['active'] === false ? (
                <Status state="off">Inactive</Status>
              ) : isServer ? (
                <Reachable value={value} />
              ) : (
                <Status state="ok">Active</Status>
              ),
            ],
            ['Last error', typeof value['last_error'] === 'string' ? value['last_error'] : null],
            [
              'Last read',
              typeof value['last_refresh'] === 'string' ? <Time value={value['last_refresh']} /> : null,
            ],
            ['Protocol', protocolWords(value['protocol'])],
            ['Authentication', authWords(mode, value['credential'] != null)],
          ]}
        />
      </Card>
      {isServer && may('origins.catalog') && <Catalogue slug={slug} value={value} />}
      {may('virtual_mcps.list') && <VirtualMcps slug={slug} />}
      {(mode === 'user_oauth' || mode === 'shared_oauth') && may('origins.authorization') && (
        <Authorization slug={slug} />
      )}
      {mode !== 'static' && may('connections.list') && <Accounts slug={slug} />}
    </Overview>
  )
}

function Reachable({ value }: { value: JsonObject }) {
  if (value['reachable'] === 'ok') return <Status state="ok">Answers</Status>
  if (value['reachable'] !== 'unreachable') return <Status state="pending">Not checked yet</Status>
  return (
    <span className="inline-flex flex-wrap gap-x-2">
      <Status state="bad">Does not respond</Status>
      {typeof value['down_since'] === 'string' && (
        <span>
          since <Time value={value['down_since']} />
        </span>
      )}
    </span>
  )
}

function protocolWords(protocol: unknown): string | null {
  if (typeof protocol !== 'object' || protocol === null) return null
  const { version, transport, server } = protocol as {
    readonly version: string
    readonly transport: string
    readonly server?: { readonly name: string; readonly version: string }
  }
  const way = transport === 'http_sse' ? 'HTTP+SSE' : 'Streamable HTTP'
  return `MCP ${version} over ${way}${server === undefined ? '' : `, ${server.name} ${server.version}`}`
}

/** What the origin offers, as it was read last. */
function Catalogue({ slug, value }: { slug: string; value: JsonObject }) {
  const may = useMay()
  const query = useCall('origins.catalog', { id: slug, type: 'tools', limit: TOOLS_MAX })
  const counts = query.data?.counts ?? null
  const tools = (query.data?.items ?? []) as readonly {
    readonly name?: string
    readonly description?: string
  }[]
  return (
    <Card
      title="Catalogue"
      actions={
        may('virtual_mcps.create') && (
          <Link to={ADD} search={{ origin: slug } as never} className={buttonClasses('plain', true)}>
            Choose tools
          </Link>
        )
      }
    >
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={3} />}
      {query.data !== undefined && (
        <p>{counts === null ? 'Postern has not read the catalogue yet.' : `${countWords(counts)}.`}</p>
      )}
      {query.data?.warnings.map((warning) => (
        <p key={warning}>
          <Status state="warn" className="whitespace-normal">
            {warning}
          </Status>
        </p>
      ))}
      {tools.length > 0 && (
        <ul aria-label={`Tools of ${String(value['name'])}`} className="mt-2 flex flex-col">
          {tools.map(({ name, description }) => (
            <li key={name} className="flex min-w-0 flex-wrap gap-x-3 border-t border-line py-1">
              <code className="break-all">{name}</code>
              <span className="min-w-0 flex-1 truncate text-muted" title={description}>
                {description}
              </span>
            </li>
          ))}
        </ul>
      )}
      {query.data?.next_cursor != null && (
        <p className="mt-2 text-sm text-muted">Only the first {TOOLS_MAX} tools are shown.</p>
      )}
    </Card>
  )
}

/** The virtual MCPs that have the origin as a member. */
function VirtualMcps({ slug }: { slug: string }) {
  const query = useCall('virtual_mcps.list', {
    limit: VIRTUAL_MCPS_MAX,
    fields: 'id,slug,name,status,members',
  })
  const using = (query.data?.items ?? []).filter(({ members }) =>
    members.some(({ origin }) => origin === slug),
  )
  return (
    <Card title="Virtual MCPs">
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={2} />}
      {query.data !== undefined && using.length === 0 && (
        <p className="text-muted">No virtual MCP has this origin as a member.</p>
      )}
      <ul className="flex flex-col gap-1">
        {using.map(({ id, name, status }) => (
          <li key={id} className="flex flex-wrap gap-x-3">
            <ResourceLink resource="virtual_mcps" id={id}>
              {name}
            </ResourceLink>
            {status !== 'published' && <Status state="draft">draft</Status>}
          </li>
        ))}
      </ul>
      {query.data?.next_cursor != null && (
        <p className="mt-2 text-sm text-muted">
          Only the first {VIRTUAL_MCPS_MAX} virtual MCPs were searched.
        </p>
      )}
    </Card>
  )
}

/** The authorization server of the origin, and what to enter there to register Postern by hand. */
function Authorization({ slug }: { slug: string }) {
  const { data, error, refetch } = useCall('origins.authorization', { id: slug })
  return (
    <Card title="Authorization server">
      {error !== null && <FaultBox fault={faultOf(error)} retry={() => void refetch()} />}
      {data === undefined && error === null && <SkeletonRows rows={2} />}
      {data !== undefined && (
        <>
          <Facts
            facts={[
              ['Issuer', <code key="issuer">{data.issuer}</code>],
              ['Registration', data.registration === null ? null : REGISTRATIONS[data.registration]],
              [
                'Redirect URI',
                <code key="redirect" className="break-all">
                  {data.redirect_uri}
                </code>,
              ],
              ...data.endpoints.map(({ use, host }): [string, string] => [use, host]),
            ]}
          />
          {data.fault !== null && (
            <p className="mt-2">
              <Status state="warn" className="whitespace-normal">
                {data.fault}
              </Status>
            </p>
          )}
        </>
      )}
    </Card>
  )
}

const REGISTRATIONS = {
  manual: 'By hand. Enter the redirect URI at the authorization server.',
  cimd: 'By the URL of a client metadata document',
  dcr: 'Postern registers itself',
} as const

/** The accounts of people at the origin, and the one that all callers share. */
function Accounts({ slug }: { slug: string }) {
  const query = useCall('connections.list', { origin: slug, all_users: true, limit: ACCOUNTS_MAX })
  return (
    <Card title="Connected accounts">
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={2} />}
      {query.data?.items.length === 0 && (
        <p className="text-muted">
          No accounts yet. People connect accounts on the page /connect of the gateway.
        </p>
      )}
      <ul className="flex flex-col gap-2">
        {query.data?.items.map((account) => (
          <li key={account.user ?? ''} className="flex flex-wrap items-center justify-between gap-2">
            <span className="flex min-w-0 flex-wrap items-center gap-x-3">
              {account.user === null ? (
                'Shared by all callers'
              ) : (
                <ResourceLink resource="users" id={account.user} />
              )}
              {account.account_label !== '' && <span className="text-muted">{account.account_label}</span>}
              {!account.active ? (
                <Status state="off">inactive</Status>
              ) : account.state === 'connected' ? (
                <Status state="ok">connected</Status>
              ) : (
                <Status state="bad">reconnect required</Status>
              )}
              <span className="text-muted">
                connected <Time value={account.connected_at} />
              </span>
            </span>
            <ConnectionActions item={account as unknown as JsonObject} />
          </li>
        ))}
      </ul>
      {query.data?.next_cursor != null && (
        <p className="mt-2">
          <Link
            to="/$resource"
            params={{ resource: 'connections' }}
            search={{ origin: slug, all_users: 'true' }}
            className="underline"
          >
            All accounts at this origin
          </Link>
        </p>
      )}
    </Card>
  )
}
