import { Link } from '@tanstack/react-router'
import { operation } from '../../api/client.ts'

/** A setting that decides, such as `profiles/acme:live ip_allowlist`, as a link to the form that changes it. */
export function SettingLink({ setting }: { setting: string }) {
  const [, resource = '', id = '', member = ''] = /^([a-z_]+)\/(\S+)(?: (.*))?$/.exec(setting) ?? []
  if (operation(`${resource}.get`) === null) return <p className="text-sm text-muted">{setting}</p>
  return (
    <p>
      Decided by{' '}
      <Link to="/$resource/$id" params={{ resource, id }} search={{ tab: 'edit' }} className="underline">
        {member === '' ? setting : `${member} of ${resource}/${id}`}
      </Link>
    </p>
  )
}
