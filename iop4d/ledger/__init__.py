"""What is to be done next: every piece of work is a row, and every outcome one transaction.

A file that an archive delivers is accepted by :mod:`ledger`, which gives it a row and a job. The
:mod:`dispatch` takes due jobs: :mod:`plan` says what to ask of a worker for each, an engine of
:mod:`engines` has it done, and :mod:`outcomes` writes what came of it, with the jobs that follow,
in one transaction. :mod:`master_choice` says which masters a frame gets; :mod:`consequences` what
follows when a master is built, late or anew, is rejected or restored, when a polarimetry frame
joins its group, when a whole frame can give others their astrometric solution, and when the
catalogue changes. :mod:`requests` answers what commands and the page request.

New results are announced in the transaction that wrote them, to the :class:`ResultsListener` that
the ledger is given: the alert engine evaluates its rules there, so that an alert is committed with
its result, or not at all. An exception of the listener undoes the whole outcome.
"""
