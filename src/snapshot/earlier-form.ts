/** Fragments as earlier versions wrote them into `serving.db`. Those in `config.db` are compiled anew instead. */
import type { FeaturesFragment, Fragment, ProxyFragment } from './fragments.ts'

/** A proxy in form 1: the same member had another name. */
type FirstForm = Omit<ProxyFragment, 'features'> & { readonly shape: FeaturesFragment | null }

/** The same fragment in the form of today; the fragment itself where it has that form. */
export function inNewestForm(fragment: Fragment): Fragment {
  if (fragment.kind !== 'collection' || !fragment.proxies.some(isFirstForm)) return fragment
  return { ...fragment, proxies: fragment.proxies.map(withFeatures) }
}

function isFirstForm(proxy: ProxyFragment | FirstForm): proxy is FirstForm {
  return 'shape' in proxy
}

function withFeatures(proxy: ProxyFragment | FirstForm): ProxyFragment {
  if (!isFirstForm(proxy)) return proxy
  const { shape, ...others } = proxy
  return { ...others, features: shape }
}
