/** Members by which people tell resources apart. */

import { z } from 'zod'
import { unit } from './annotations.ts'
import { Slug } from './slug.ts'

export const Name = z.string().trim().min(1).max(120).describe('Display name')
export const Description = z.string().max(20_000).meta(unit('markdown')).describe('Markdown')
export const Tags = z.array(Slug).max(20).describe('Labels for filters and grants')
