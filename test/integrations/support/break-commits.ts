import Database from 'better-sqlite3'

/** From now on transactions that store a message fail when they are committed, until what it answers is called. */
export function breakCommits(path: string): () => void {
  const database = new Database(path)
  // A foreign key that is looked at by COMMIT, and not before.
  database.exec(`
    create table nobody (id integer primary key);
    create table orphans (id integer references nobody (id) deferrable initially deferred);
    create trigger broken after insert on bruno_messages begin insert into orphans values (1); end;
  `)
  return () => {
    database.exec('drop trigger broken')
    database.close()
  }
}
