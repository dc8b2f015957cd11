import postgres from 'postgres'

/** How many transactions wrote the messages that are there: each row knows the one that it is of. */
export async function transactionsOf(url: string): Promise<number> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    const [row] = await sql`select count(distinct xmin::text)::int as n from bruno_messages`
    return Number(row?.n)
  } finally {
    await sql.end()
  }
}
