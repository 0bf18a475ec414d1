-- What the order of hits needs of a case lies together, and not behind its text: twice as many are weighed as are shown.

CREATE INDEX library_case_facts ON library_case(number, state, audience, confirmed_at);
