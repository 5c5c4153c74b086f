import { toggleOf } from '../crud.ts'
import { profileKind } from './kind.ts'

export const toggleProfile = toggleOf(profileKind)
